/** Runs a command on the store and prints its outcome. */
import { version } from "../../package.json";
import { toWavecacheError } from "../base/errors.ts";
import { backUp } from "./backup.ts";
import type { AdminCommand } from "./command.ts";
import { writeBundle } from "./diagnosis/bundle.ts";
import { examine, type Folders } from "./doctor/doctor.ts";
import { exitCode, type Outcome, printOutcome, type Progress, showProgress } from "./report.ts";
import { restore } from "./restore.ts";
import { withCatalog } from "./open-catalog.ts";
import { openFolder } from "./store-folder.ts";

/** Returns the exit code. Throws an error of the table if the command cannot do its work. */
export async function runAdminCommand(command: AdminCommand): Promise<number> {
  const outcome = await outcomeOf(command, showProgress(process.stderr));
  printOutcome(command.name, outcome, command.json);
  return exitCode(outcome);
}

function outcomeOf(command: AdminCommand, progress: Progress): Promise<Outcome> {
  const { cacheDir, recordingsDir } = command;
  switch (command.name) {
    case "backup": {
      const layout = openFolder(cacheDir);
      return withCatalog(layout, command.catalog, (reader) =>
        backUp({ reader, layout, recordingsDir, version }, command.folder, command, progress),
      );
    }
    case "restore":
      return restore(command.folder, { cacheDir, recordingsDir }, command, progress);
    case "doctor":
      return diagnose({ cacheDir, recordingsDir }, command, progress);
  }
}

type Doctor = Extract<AdminCommand, { name: "doctor" }>;

async function diagnose(folders: Folders, command: Doctor, progress: Progress): Promise<Outcome> {
  const { bundle } = command;
  if (bundle === undefined) return await examine(folders, command, progress);
  const outcome = await examine(folders, command, progress).catch((error: unknown) => failed(error, folders));
  return await writeBundle(bundle, command, outcome);
}

/** The bundle of a store that cannot be examined is needed most. */
function failed(error: unknown, { cacheDir }: Folders): Outcome {
  const { code, message } = toWavecacheError(error);
  return { figures: {}, problems: [{ code, subject: cacheDir, message }] };
}
