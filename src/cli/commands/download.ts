/** `download ID...`: writes streams to files, or one to standard output. */
import type { CAC } from "cac";
import { downloadMany } from "../download/many.ts";
import { downloadOne } from "../download/one.ts";
import { flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { isFolder } from "../kit/files.ts";
import { openTransferSession } from "../streams/open-session.ts";
import { parallelOf, parallelOption, transferOptions, windowOption } from "../streams/transfer-options.ts";

export function registerDownload(cli: CAC, context: Context): void {
  const command = cli
    .command("download <...ids>", "Download streams to files, by id or name")
    .option(
      "-o, --output <path>",
      "Output file or folder, or - for standard output (default: audio/output/output-{time}-{id})",
    )
    .option("--force", "Overwrite existing files");
  parallelOption(jsonOption(windowOption(transferOptions(command))))
    .example("  $ bun run client download my-song -o song.mp3")
    .example("  $ bun run client download my-song -o - | ffplay -nodisp -")
    .example("  $ bun run client download one.wav two.wav three.wav -o songs --parallel 3")
    .action((ids: string[], options: Options) => download(ids, options, context));
}

async function download(ids: readonly string[], options: Options, context: Context): Promise<void> {
  const idsOrNames = [...new Set(ids)];
  const [idOrName = ""] = idsOrNames;
  const parallel = parallelOf(options);
  const output = textOption(options, "output");
  const mayReplace = flagOption(options, "force");
  const isOne = idsOrNames.length === 1 && !(await isIntoFolder(output));
  refuseOutput(output, isOne, context);
  const session = await openTransferSession(options, context);
  try {
    if (isOne) return await downloadOne({ idOrName, output, mayReplace }, session, options, context);
    const many = { idsOrNames, folder: output, mayReplace, parallel };
    await downloadMany(many, session, options, context);
  } finally {
    session.close();
  }
}

async function isIntoFolder(output: string | undefined): Promise<boolean> {
  return output !== undefined && (output.endsWith("/") || (await isFolder(output)));
}

function refuseOutput(output: string | undefined, isOne: boolean, { terminal }: Context): void {
  if (output === "") throw usageError("the output path is empty", "give the path of a file or folder");
  if (output !== "-") return;
  if (!isOne) throw usageError("standard output is for one stream", "give a folder with --output FOLDER");
  terminal.giveStdoutToAudio("pipe it into a player, or give a file with --output FILE");
}
