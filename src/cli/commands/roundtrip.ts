/** The default command: uploads a file, downloads it again, and compares the two. */
import { basename } from "node:path";
import type { CAC } from "cac";
import type { DownloadResult } from "../../client/legacy/download.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import { jsonOption, type Options, requiredText, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { PartialFailure, usageError } from "../kit/failures.ts";
import { defaultOutput, type FileSource, isSameFile, openSource } from "../kit/files.ts";
import { OutputFile } from "../kit/output-file.ts";
import { type CommandResult, printResult } from "../kit/results.ts";
import { humanBytes, humanDuration, megabitsPerSecond, table } from "../kit/text.ts";
import { withResumeHint } from "../upload/one.ts";
import { openTransferSession } from "../streams/open-session.ts";
import { chunkOption, transferOptions, windowOption } from "../streams/transfer-options.ts";
import { digestRows, speedText, timed } from "../streams/transfer-report.ts";

const targetUploadMbps = 100;
const targetDownloadMbps = 200;
/** Connecting and syncing dominate shorter transfers, so their speed is not judged. */
const minJudgedMs = 250;

interface Paths {
  input: string;
  output: string;
  /** The server, if it is a positional argument. */
  url: string | undefined;
}

interface Trip {
  sent: UploadResult;
  received: DownloadResult;
  uploadMs: number;
  downloadMs: number;
  totalMs: number;
}

export function registerRoundTrip(cli: CAC, context: Context): void {
  const command = cli
    .command("[...files]", "Upload a file, download it again and compare")
    .usage("--input FILE [options]\n  $ bun run client ws://HOST/audio IN [OUT] [options]")
    .option("-i, --input <file>", "File to upload")
    .option("-o, --output <file>", "Output file (default: audio/output/output-{time}-{name})");
  jsonOption(windowOption(chunkOption(transferOptions(command))))
    .example("  $ bun run client --input song.mp3")
    .example("  $ bun run client -i song.mp3 -o back.mp3 -s ws://192.168.0.9:8080/audio --verbose")
    .example("  $ bun run client ws://localhost:8080/audio song.mp3 back.mp3")
    .action((files: string[], options: Options) => roundTrip(pathsOf(files, options), options, context));
}

function pathsOf(files: readonly string[], options: Options): Paths {
  const [url, inputByPosition, outputByPosition, ...rest] = files;
  if (url !== undefined && !/^[a-z]+:\/\//i.test(url)) {
    throw usageError(`unknown command "${url}"`, "see --help for the commands");
  }
  if (rest.length > 0) throw usageError(`too many arguments: "${rest[0]}"`);
  const input = givenOnce("input", textOption(options, "input"), inputByPosition);
  const output = givenOnce("output", textOption(options, "output"), outputByPosition);
  if (input === undefined) throw usageError("no input file", "give one with --input FILE, or see --help");
  return { input, output: output ?? defaultOutput(basename(input)), url };
}

function givenOnce(
  name: string,
  byOption: string | undefined,
  byPosition: string | undefined,
): string | undefined {
  if (byOption !== undefined && byPosition !== undefined) {
    throw usageError(`the ${name} file is given twice`);
  }
  return byOption ?? byPosition;
}

async function roundTrip(paths: Paths, options: Options, context: Context): Promise<void> {
  const source = await openSource(paths.input);
  try {
    if (await isSameFile(paths.input, paths.output)) {
      throw usageError(`input and output are the same file: ${paths.output}`, "choose another output");
    }
    const output = await OutputFile.create(paths.output);
    try {
      const trip = await travel(source, output, options, context, paths);
      printResult(options, context.terminal, report(trip, paths));
      refuseDifferent(trip);
      await output.commit();
    } finally {
      await output.discard();
    }
  } finally {
    await source.close();
  }
}

async function travel(
  source: FileSource,
  sink: OutputFile,
  options: Options,
  context: Context,
  paths: Paths,
): Promise<Trip> {
  const session = await openTransferSession(options, context, paths.url);
  const { sizeBytes } = source;
  const name = basename(paths.input);
  let startedId: string | undefined;
  const onStarted = (id: string) => void (startedId = id);
  try {
    const startMs = performance.now();
    const up = await timed(context, `upload   ${name}`, sizeBytes, (onProgress) =>
      session.upload({ source, name, streamId: undefined, resume: false, onProgress, onStarted }),
    );
    const { streamId } = up.result;
    const down = await timed(context, `download ${name}`, sizeBytes, (onProgress) =>
      session.download({ streamId, sink, offset: 0, sizeBytes, sha256: undefined, onProgress }),
    );
    const totalMs = performance.now() - startMs;
    return { sent: up.result, received: down.result, uploadMs: up.ms, downloadMs: down.ms, totalMs };
  } catch (error) {
    if (startedId === undefined) throw error;
    throw withResumeHint(error, paths.input, startedId, paths.url ?? requiredText(options, "server"));
  } finally {
    session.close();
  }
}

function isIdentical({ sent, received }: Trip): boolean {
  if (sent.sizeBytes !== received.sizeBytes || sent.digests.sha256 === undefined) return false;
  return sent.digests.sha256 === received.digests.sha256 && sent.digests.md5 === received.digests.md5;
}

function refuseDifferent(trip: Trip): void {
  if (isIdentical(trip)) return;
  const hint = `no output is written; the server has the stream as ${trip.sent.streamId}`;
  throw new PartialFailure("verification failed: the file came back changed", hint);
}

function report(trip: Trip, paths: Paths): CommandResult {
  const { sent, received, uploadMs, downloadMs, totalMs } = trip;
  const sizes = `${humanBytes(sent.sizeBytes)} sent, ${humanBytes(received.sizeBytes)} received`;
  const receivedDigests = digestRows(received.digests).map(([, hex]) => ["  back", hex ?? ""]);
  const isShort = Math.min(uploadMs, downloadMs) < minJudgedMs;
  const lines = table([
    ["Stream", sent.streamId],
    ["Input", paths.input],
    ["Upload", speedAgainstTarget(sent.sizeBytes, uploadMs, targetUploadMbps)],
    ["Download", speedAgainstTarget(received.sizeBytes, downloadMs, targetDownloadMbps)],
    ["Total", humanDuration(totalMs)],
    ...(isShort ? [["Targets", `are for transfers of ${minJudgedMs} ms and longer`]] : []),
    ["Size", `${sizes} (${sent.sizeBytes} bytes)`],
    ...digestRows(sent.digests),
    ...(isIdentical(trip)
      ? [
          ["Output", paths.output],
          ["Result", "identical"],
        ]
      : [...receivedDigests, ["Result", "DIFFERENT"]]),
  ]);
  return { json: jsonOf(trip, paths), lines };
}

function jsonOf(trip: Trip, { input, output }: Paths): object {
  const { sent, received, uploadMs, downloadMs, totalMs } = trip;
  const { streamId, sizeBytes: size, digests } = sent;
  const durations = { uploadMs, downloadMs, totalMs };
  const identical = isIdentical(trip);
  return { streamId, size, ...digests, received: received.sizeBytes, identical, input, output, ...durations };
}

function speedAgainstTarget(bytes: number, ms: number, targetMbps: number): string {
  const met = megabitsPerSecond(bytes, ms) >= targetMbps;
  const missed = ms < minJudgedMs ? "too short to tell" : "missed";
  return `${speedText(bytes, ms)} (target ${targetMbps}: ${met ? "met" : missed})`;
}
