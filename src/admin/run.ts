/** Runs a command on the store and prints its outcome. */
import { version } from "../../package.json";
import { backUp } from "./backup.ts";
import type { AdminCommand } from "./command.ts";
import { examine } from "./doctor/doctor.ts";
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
      return withCatalog(layout, (reader) =>
        backUp({ reader, layout, recordingsDir, version }, command.folder, command, progress),
      );
    }
    case "restore":
      return restore(command.folder, { cacheDir, recordingsDir }, command, progress);
    case "doctor":
      return examine({ cacheDir, recordingsDir }, command, progress);
  }
}
