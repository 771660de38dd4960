/** `upload FILE...`: uploads files and folders, and prints their stream ids. */
import { basename, resolve } from "node:path";
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import { flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, failureOf, usageError } from "../kit/failures.ts";
import { isFolder, openSource } from "../kit/files.ts";
import { listFiles, type ListedFile, type UnreadableFile } from "../kit/input-files.ts";
import { type Outcomes, runParallel, sharedProgress } from "../kit/parallel.ts";
import { humanBytes, safeJson, table, visible } from "../kit/text.ts";
import { fileStreamId } from "../streams/file-stream-id.ts";
import { openTransferSession } from "../streams/open-session.ts";
import { chunkOption, parallelOf, parallelOption, transferOptions } from "../streams/transfer-options.ts";
import { digestRows, speedText, timed } from "../streams/transfer-report.ts";
import type { TransferSession } from "../streams/transfer-session.ts";

export function registerUpload(cli: CAC, context: Context): void {
  const command = cli
    .command("upload <...files>", "Upload files and folders and print their stream ids")
    .option(
      "--id <id>",
      "Id of the new stream, for one file only (default: generated; for many: their names)",
    )
    .option("--resume <id>", "Resume an unfinished upload of the same file");
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
  if (files.length === 1 && !(await isFolder(file))) return await uploadOne(file, options, context);
  if (id !== undefined || resumedId !== undefined) {
    throw usageError("--id and --resume are for one file", "the ids of many files come from their names");
  }
  await uploadMany(files, options, context);
}

async function uploadOne(file: string, options: Options, context: Context): Promise<void> {
  const resumedId = textOption(options, "resume");
  const streamId = resumedId ?? textOption(options, "id");
  const resume = resumedId !== undefined;
  const source = await openSource(file);
  let session: TransferSession | undefined;
  try {
    const opened = await openTransferSession(options, context);
    session = opened;
    const { result, ms } = await timed(context, "upload", source.sizeBytes, (onProgress) =>
      opened.upload({ source, name: basename(file), streamId, resume, onProgress }),
    );
    refuseUnacknowledged(result);
    const json = flagOption(options, "json");
    context.terminal.printAll(json ? [safeJson(jsonOf(result, ms))] : reportOne(result, ms));
  } catch (error) {
    throw withResumeHint(error, streamId);
  } finally {
    session?.close();
    await source.close();
  }
}

interface Job extends ListedFile {
  streamId: string;
}

/** One uploaded file, as --json prints it. */
interface UploadedFile {
  path: string;
  streamId: string;
  size: number;
  /** Bytes that the server already had. */
  kept: number;
  sha256: string | undefined;
  verified: boolean;
  reconnects: number;
}

async function uploadMany(paths: readonly string[], options: Options, context: Context): Promise<void> {
  const parallel = parallelOf(options);
  const { jobs, unreadable } = await jobsOf(paths);
  for (const { name, error } of unreadable) noteFailure(name, error, context);
  const totalBytes = jobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const session = await openTransferSession(options, context);
  try {
    const { result, ms } = await timed(context, "upload", totalBytes, (onProgress) => {
      const newProgress = sharedProgress(onProgress);
      return runParallel(
        jobs,
        parallel,
        context.signal,
        (job) => uploadFile(job, session, options, context, newProgress()),
        ({ job, error }) => noteFailure(job.name, error, context),
      );
    });
    printOutcomes(result, unreadable, ms, options, context);
  } finally {
    session.close();
  }
}

/** Ids derive from names: the same command finds finished streams again and resumes unfinished ones. */
async function jobsOf(paths: readonly string[]): Promise<{ jobs: Job[]; unreadable: UnreadableFile[] }> {
  const { files, unreadable } = await listFiles(paths);
  if (files.length + unreadable.length === 0) {
    throw new CliError("no files found", "hidden files are skipped");
  }
  const jobs = new Map<string, Job>();
  for (const file of files) {
    const streamId = fileStreamId(file.fullName);
    const other = jobs.get(streamId);
    if (other === undefined) jobs.set(streamId, { ...file, streamId });
    else if (resolve(other.path) !== resolve(file.path)) throw sameId(other, file);
  }
  return { jobs: [...jobs.values()], unreadable };
}

function sameId(a: ListedFile, b: ListedFile): CliError {
  const hint = "upload a folder that contains both";
  return usageError(
    `two files would be one stream, ${fileStreamId(a.fullName)}: ${a.path} and ${b.path}`,
    hint,
  );
}

function noteFailure(name: string, error: unknown, { terminal }: Context): void {
  terminal.note(`${name}: ${failureOf(error).line}`);
}

async function uploadFile(
  { path, fullName, streamId }: Job,
  session: TransferSession,
  options: Options,
  { terminal }: Context,
  onProgress: (bytes: number) => void,
): Promise<UploadedFile> {
  const source = await openSource(path);
  try {
    const resume = session.protocol === "v1" || "if-used";
    const result = await session.upload({ source, name: fullName, streamId, resume, onProgress });
    refuseUnacknowledged(result);
    onProgress(result.sizeBytes);
    const file = uploadedFile(path, streamId, result);
    if (!flagOption(options, "json")) {
      const state = file.verified ? "verified" : "uploaded";
      terminal.print(visible(`${state}  ${streamId}  ${humanBytes(file.size)}`));
    }
    return file;
  } finally {
    await source.close();
  }
}

function uploadedFile(path: string, streamId: string, result: UploadResult): UploadedFile {
  const { sizeBytes: size, keptBytes: kept, reconnects, digests } = result;
  const verified = result.acknowledgement === "verified";
  return { path, streamId, size, kept, sha256: digests.sha256, verified, reconnects };
}

/** Throws a CliError if any file failed. */
function printOutcomes(
  { done, failed, skipped }: Outcomes<Job, UploadedFile>,
  unreadable: readonly UnreadableFile[],
  ms: number,
  options: Options,
  { terminal }: Context,
): void {
  const unsent = failed.length + skipped;
  const files = done.length + unsent + unreadable.length;
  if (flagOption(options, "json")) {
    const failedPaths = [...unreadable, ...failed.map(({ job }) => job)].map(({ path }) => path);
    terminal.print(safeJson({ files: done, failed: failedPaths, skipped }));
  } else if (done.length > 0) {
    terminal.printAll(reportMany(done, files, ms));
  }
  if (done.length === files) return;
  const hint = unsent > 0 ? "repeat the same command to resume" : "they cannot be read";
  throw new CliError(`${files - done.length} of ${files} files are not uploaded`, hint);
}

function reportMany(done: readonly UploadedFile[], files: number, ms: number): string[] {
  const keptBytes = done.reduce((sum, { kept }) => sum + kept, 0);
  const sentBytes = done.reduce((sum, { size }) => sum + size, 0) - keptBytes;
  const verified = done.filter((file) => file.verified).length;
  const server =
    verified === done.length
      ? "has the same size and SHA-256 of each"
      : `has the same SHA-256 of ${verified}; it sends no digest of the others`;
  return table([
    ["Files", `${done.length} of ${files}`],
    ["Upload", speedText(sentBytes, ms)],
    ...(keptBytes > 0 ? [["Before", `${humanBytes(keptBytes)} were there already`]] : []),
    ["Server", server],
  ]);
}

/** Fails without an acknowledgement: no later step would check what the server has stored. */
function refuseUnacknowledged({ acknowledgement, sizeBytes, streamId }: UploadResult): void {
  if (acknowledgement !== "none" || sizeBytes === 0) return;
  const message = `the server did not acknowledge the end of ${streamId}`;
  throw new CliError(message, "download it to see what is stored, or upload it again");
}

function withResumeHint(error: unknown, id: string | undefined): unknown {
  if (!(error instanceof ClientError) || error.code !== "CONNECTION_LOST" || id === undefined) return error;
  return new ClientError(error.code, error.detail, `resume later with --resume ${id}`);
}

function reportOne(result: UploadResult, ms: number): string[] {
  const verified = result.acknowledgement === "verified";
  return table([
    ["Stream", result.streamId],
    ["Upload", speedText(result.sizeBytes, ms)],
    ...digestRows(result.digests),
    ["Server", verified ? "has the same size and SHA-256" : "sends no digest to compare"],
  ]);
}

function jsonOf(result: UploadResult, ms: number) {
  return {
    streamId: result.streamId,
    size: result.sizeBytes,
    ...result.digests,
    verified: result.acknowledgement === "verified",
    reconnects: result.reconnects,
    durationMs: Math.round(ms * 1000) / 1000,
  };
}
