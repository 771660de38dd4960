/** `upload FILE...`: uploads files and folders, and prints their stream ids. */
import type { CAC } from "cac";
import { flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { isFolder } from "../kit/files.ts";
import { chunkOption, parallelOption, transferOptions } from "../streams/transfer-options.ts";
import { uploadMany } from "../upload/many.ts";
import { uploadOne } from "../upload/one.ts";

export function registerUpload(cli: CAC, context: Context): void {
  const command = cli
    .command("upload <...files>", "Upload files and folders and print their stream ids")
    .option(
      "--id <id>",
      "Id of the new stream, for one file only (default: generated; for many: their names)",
    )
    .option("--resume <id>", "Resume an unfinished upload of the same file")
    .option("--all", "Also send files of a folder that are empty or no audio");
  parallelOption(jsonOption(chunkOption(transferOptions(command))))
    .example("  $ bun run client upload song.mp3")
    .example("  $ bun run client upload song.mp3 --id my-song --chunk 65536")
    .example("  $ bun run client upload albums more.flac --parallel 32")
    .action((files: string[], options: Options) => upload(files, options, context));
}

async function upload(files: readonly string[], options: Options, context: Context): Promise<void> {
  const id = textOption(options, "id");
  const resumedId = textOption(options, "resume");
  const [file = ""] = files;
  if (id !== undefined && resumedId !== undefined) throw usageError("--id and --resume exclude each other");
  if (files.length === 1 && !(await isFolder(file))) {
    const streamId = resumedId ?? id;
    return await uploadOne({ path: file, streamId, resume: resumedId !== undefined }, options, context);
  }
  if (id !== undefined || resumedId !== undefined) {
    throw usageError("--id and --resume are for one file", "the ids of many files come from their names");
  }
  await uploadMany(files, flagOption(options, "all"), options, context);
}
