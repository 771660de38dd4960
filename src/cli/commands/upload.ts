/** `upload FILE...`: puts files, or folders of them, into the cache and prints the ids they can be had by. */
import { basename } from "node:path";
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import { flagOption, type Options, textOption } from "../kit/arguments.ts";
import { CliError, failureOf, usageError } from "../kit/failures.ts";
import { idsOf, listFiles } from "../kit/file-set.ts";
import { isFolder, openSource } from "../kit/files.ts";
import { openSession, type Session } from "../streams/session.ts";
import { sideBySide, sumOf } from "../kit/side-by-side.ts";
import { humanBytes, safeJson, table, visible } from "../kit/text.ts";
import {
  chunkOption,
  type Context,
  digestRows,
  jsonOption,
  parallelOf,
  parallelOption,
  speedLine,
  timed,
  transferOptions,
} from "../streams/transfers.ts";

export function registerUpload(cli: CAC, context: Context): void {
  const command = cli
    .command("upload <...files>", "Upload files and folders and print their stream ids")
    .option("--id <id>", "Id of the new stream, for one file (default: a new one; of many: their names)")
    .option("--resume <id>", "Go on with an unfinished upload of the same file");
  parallelOption(jsonOption(chunkOption(transferOptions(command))))
    .example("  $ bun run client upload song.mp3")
    .example("  $ bun run client upload song.mp3 --id my-song --chunk 65536")
    .example("  $ bun run client upload albums more.flac --parallel 32")
    .action((files: string[], options: Options) => upload(files, options, context));
}

async function upload(files: readonly string[], options: Options, context: Context): Promise<void> {
  const id = textOption(options, "id");
  const resumed = textOption(options, "resume");
  const [file = ""] = files;
  if (id !== undefined && resumed !== undefined) throw usageError("--id and --resume exclude each other");
  if (files.length === 1 && !(await isFolder(file))) return await uploadOne(file, options, context);
  if (id !== undefined || resumed !== undefined) {
    throw usageError("--id and --resume are for one file", "the ids of many come from their names");
  }
  await uploadMany(files, options, context);
}

async function uploadOne(file: string, options: Options, context: Context): Promise<void> {
  const id = textOption(options, "id");
  const resumed = textOption(options, "resume");
  const source = await openSource(file);
  let session: Session | undefined;
  try {
    const opened = await openSession(options, context);
    session = opened;
    const { result, ms } = await timed(context, "upload", source.sizeBytes, (onProgress) =>
      opened.upload({
        source,
        name: basename(file),
        streamId: resumed ?? id,
        resume: resumed !== undefined,
        onProgress,
      }),
    );
    refuseUnacknowledged(result);
    const json = flagOption(options, "json");
    for (const line of json ? [safeJson(jsonOf(result, ms))] : report(result, ms))
      context.terminal.print(line);
  } catch (error) {
    throw withResumeHint(error, resumed ?? id);
  } finally {
    session?.close();
    await source.close();
  }
}

interface Job {
  path: string;
  name: string;
  streamId: string;
}

/**
 * Under ids that come from the names, so that the same command goes on where another one ended, and finds what is there
 * already.
 */
async function uploadMany(paths: readonly string[], options: Options, context: Context): Promise<void> {
  const parallel = parallelOf(options);
  const files = await listFiles(paths);
  if (files.length === 0) throw new CliError("no files there", "hidden ones are passed over");
  const ids = idsOf(files.map(({ name }) => name));
  const jobs = files.map(({ path, name }, index) => ({ path, name, streamId: ids[index] ?? name }));
  const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const session = await openSession(options, context);
  try {
    const { result, ms } = await timed(context, "upload", totalBytes, (onProgress) => {
      const progress = sumOf(onProgress);
      const run = (job: Job) => uploadFile(job, session, options, context, progress());
      const onFailure = ({ job, error }: { job: Job; error: unknown }) =>
        context.terminal.note(`${job.name}: ${failureOf(error).line}`);
      return sideBySide(jobs, parallel, context.signal, run, onFailure);
    });
    const { done, failed, skipped } = result;
    if (flagOption(options, "json")) {
      context.terminal.print(safeJson({ files: done, failed: failed.map(({ job }) => job.path), skipped }));
    } else if (done.length > 0) {
      for (const line of summary(done, files.length, ms)) context.terminal.print(line);
    }
    const missing = failed.length + skipped;
    const hint = "the same command again goes on where this one ended";
    if (missing > 0) throw new CliError(`${missing} of ${files.length} files are not uploaded`, hint);
  } finally {
    session.close();
  }
}

interface Row {
  path: string;
  streamId: string;
  size: number;
  /** Of these, bytes that the server had before. */
  kept: number;
  sha256: string | undefined;
  verified: boolean;
  reconnects: number;
}

async function uploadFile(
  { path, name, streamId }: Job,
  session: Session,
  options: Options,
  { terminal }: Context,
  onProgress: (bytes: number) => void,
): Promise<Row> {
  const source = await openSource(path);
  try {
    const resume = session.protocol === "v1";
    const result = await session.upload({ source, name, streamId, resume, onProgress });
    refuseUnacknowledged(result);
    onProgress(result.sizeBytes);
    const verified = result.acknowledgement === "verified";
    const { sizeBytes: size, keptBytes: kept, reconnects } = result;
    if (!flagOption(options, "json")) {
      terminal.print(visible(`${verified ? "verified" : "uploaded"}  ${streamId}  ${humanBytes(size)}`));
    }
    return { path, streamId, size, kept, sha256: result.digests.sha256, verified, reconnects };
  } finally {
    await source.close();
  }
}

function summary(done: readonly Row[], files: number, ms: number): string[] {
  const keptBytes = done.reduce((sum, { kept }) => sum + kept, 0);
  const sentBytes = done.reduce((sum, { size }) => sum + size, 0) - keptBytes;
  const verified = done.filter((file) => file.verified).length;
  const server =
    verified === done.length
      ? "has the same size and SHA-256 of each"
      : `has the same SHA-256 of ${verified}; of the others it sends none`;
  return table([
    ["Files", `${done.length} of ${files}`],
    ["Upload", speedLine(sentBytes, ms)],
    ...(keptBytes > 0 ? [["Before", `${humanBytes(keptBytes)} were there already`]] : []),
    ["Server", server],
  ]);
}

/** Where nothing follows that would show what the server has, silence is a failure. */
function refuseUnacknowledged({ acknowledgement, sizeBytes, streamId }: UploadResult): void {
  if (acknowledgement !== "none" || sizeBytes === 0) return;
  const message = `the server did not acknowledge the end of ${streamId}`;
  throw new CliError(message, "download it to see what is there, or upload it again");
}

function withResumeHint(error: unknown, id: string | undefined): unknown {
  if (!(error instanceof ClientError) || error.code !== "CONNECTION_LOST" || id === undefined) return error;
  return new ClientError(error.code, error.detail, `go on later with --resume ${id}`);
}

function report(result: UploadResult, ms: number): string[] {
  return table([
    ["Stream", result.streamId],
    ["Upload", speedLine(result.sizeBytes, ms)],
    ...digestRows(result.digests),
    [
      "Server",
      result.acknowledgement === "verified" ? "has the same size and SHA-256" : "sends no digest to compare",
    ],
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
