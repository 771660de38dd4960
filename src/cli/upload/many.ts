/** Uploads many files at once, folders included. */
import { resolve } from "node:path";
import type { UploadResult } from "../../client/legacy/upload.ts";
import { flagOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, failureOf, Interrupted, PartialFailure, usageError } from "../kit/failures.ts";
import { openSource } from "../kit/files.ts";
import { listFiles, type ListedFile, type UnreadableFile } from "../kit/input-files.ts";
import { type Outcomes, runParallel, sharedProgress } from "../kit/parallel.ts";
import { printResult } from "../kit/results.ts";
import { humanBytes, table, visible } from "../kit/text.ts";
import { type IgnoredFile, separateAudio } from "./audio-files.ts";
import { fileStreamId } from "./file-stream-id.ts";
import { openTransferSession } from "../streams/open-session.ts";
import { parallelOf } from "../streams/transfer-options.ts";
import { keptRows, speedText, timed } from "../streams/transfer-report.ts";
import type { TransferSession } from "../streams/transfer-session.ts";
import { refuseUnacknowledged } from "./one.ts";

interface Job extends ListedFile {
  streamId: string;
}

/** What is to be uploaded, and what is not. */
interface Plan {
  jobs: Job[];
  ignored: IgnoredFile[];
  unreadable: UnreadableFile[];
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

/** With `all`, also files of folders that are empty or no audio. */
export async function uploadMany(
  paths: readonly string[],
  all: boolean,
  options: Options,
  context: Context,
): Promise<void> {
  const parallel = parallelOf(options);
  const plan = await planOf(paths, all);
  noteOthers(plan, context);
  const { jobs } = plan;
  const totalBytes = jobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const session = await openTransferSession(options, context);
  try {
    const { result, ms } = await timed(context, "upload", totalBytes, (onProgress, rename) => {
      const newProgress = sharedProgress(onProgress);
      let started = 0;
      const run = (job: Job) => {
        rename(`${++started}/${jobs.length} ${job.name}`);
        return uploadFile(job, session, options, context, newProgress());
      };
      return runParallel(jobs, parallel, context.signal, run, ({ job, error }) =>
        noteFailure(job.name, error, context),
      );
    });
    printOutcomes(result, plan, ms, options, context);
  } catch (error) {
    throw error instanceof Interrupted
      ? new Interrupted(error, "repeat the same command to continue")
      : error;
  } finally {
    session.close();
  }
}

/** Ids derive from names: the same command finds finished streams again and resumes unfinished ones. */
async function planOf(paths: readonly string[], all: boolean): Promise<Plan> {
  const { files, unreadable } = await listFiles(paths);
  if (files.length + unreadable.length === 0) {
    throw new CliError("no files found", "hidden files are skipped");
  }
  const { audio, ignored } = all ? { audio: files, ignored: [] } : await separateAudio(files);
  if (audio.length + unreadable.length === 0) {
    throw new CliError("no audio files found", "--all sends empty files and files that are no audio too");
  }
  return { jobs: jobsOf(audio), ignored, unreadable };
}

function jobsOf(files: readonly ListedFile[]): Job[] {
  const jobs = new Map<string, Job>();
  for (const file of files) {
    const streamId = fileStreamId(file.fullName);
    const other = jobs.get(streamId);
    if (other === undefined) jobs.set(streamId, { ...file, streamId });
    else if (resolve(other.path) !== resolve(file.path)) throw sameId(other, file);
  }
  return [...jobs.values()];
}

function sameId({ streamId, path }: Job, other: ListedFile): CliError {
  const message = `two files would be one stream, ${streamId}: ${path} and ${other.path}`;
  return usageError(message, "upload a folder that contains both");
}

function noteOthers({ ignored, unreadable }: Plan, context: Context): void {
  for (const { name, error } of unreadable) noteFailure(name, error, context);
  for (const { file, reason } of ignored) {
    context.terminal.note(`${file.name}: not sent, ${reason} (--all sends it)`);
  }
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

/** Throws PartialFailure if any file failed. */
function printOutcomes(
  outcomes: Outcomes<Job, UploadedFile>,
  plan: Plan,
  ms: number,
  options: Options,
  { terminal }: Context,
): void {
  const { done, failed, skipped } = outcomes;
  const unsent = failed.length + skipped;
  const files = done.length + unsent + plan.unreadable.length;
  const lines = done.length > 0 ? reportLines(done, files, ms) : [];
  printResult(options, terminal, { json: jsonOf(outcomes, plan), lines });
  if (done.length === files) return;
  const hint = unsent > 0 ? "repeat the same command to resume" : "they cannot be read";
  throw new PartialFailure(`${files - done.length} of ${files} files are not uploaded`, hint);
}

function jsonOf({ done, failed, skipped }: Outcomes<Job, UploadedFile>, plan: Plan): object {
  const failures = [...plan.unreadable, ...failed.map(({ job: { path }, error }) => ({ path, error }))].map(
    ({ path, error }) => {
      const { code, message, hint } = failureOf(error);
      return { path, code, message, hint };
    },
  );
  const ignored = plan.ignored.map(({ file: { path }, reason }) => ({ path, reason }));
  return { files: done, failed: failures.map(({ path }) => path), errors: failures, ignored, skipped };
}

function reportLines(done: readonly UploadedFile[], files: number, ms: number): string[] {
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
    ...keptRows(keptBytes),
    ["Server", server],
  ]);
}
