/** The default command: uploads a file, downloads it again, and says whether it came back identical. */
import { basename } from "node:path";
import type { CAC } from "cac";
import type { DownloadResult } from "../../client/legacy/download.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { defaultOutput, type FileSource, isSameFile, openSource, OutputFile } from "../kit/files.ts";
import { openSession } from "../streams/session.ts";
import { humanBytes, humanDuration, megabitsPerSecond, table } from "../kit/text.ts";
import {
  chunkOption,
  type Context,
  digestRows,
  speedLine,
  timed,
  transferOptions,
  windowOption,
} from "../streams/transfers.ts";

const targetUploadMbps = 100;
const targetDownloadMbps = 200;
/** A transfer shorter than this is mostly connecting and syncing, and says little about throughput. */
const judgedMs = 250;

interface Paths {
  input: string;
  output: string;
  /** The server, where it is given by position. */
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
    .option("-o, --output <file>", "File to write (default: audio/output/output-{time}-{name})");
  windowOption(chunkOption(transferOptions(command)))
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
  const input = once("input", textOption(options, "input"), inputByPosition);
  const output = once("output", textOption(options, "output"), outputByPosition);
  if (input === undefined) throw usageError("no input file", "give one with --input FILE, or see --help");
  return { input, output: output ?? defaultOutput(basename(input)), url };
}

function once(name: string, byName: string | undefined, byPosition: string | undefined): string | undefined {
  if (byName !== undefined && byPosition !== undefined) throw usageError(`the ${name} file is given twice`);
  return byName ?? byPosition;
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
      const identical = isIdentical(trip);
      for (const line of report(trip, paths, identical)) context.terminal.print(line);
      if (!identical) throw new CliError("verification failed: the file came back changed", hintOf(trip));
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
  const session = await openSession(options, context, paths.url);
  const { sizeBytes } = source;
  const name = basename(paths.input);
  try {
    const start = performance.now();
    const up = await timed(context, "upload  ", sizeBytes, (onProgress) =>
      session.upload({ source, name, streamId: undefined, resume: false, onProgress }),
    );
    const { streamId } = up.result;
    const down = await timed(context, "download", sizeBytes, (onProgress) =>
      session.download({ streamId, sink, sizeBytes, sha256: undefined, onProgress }),
    );
    const totalMs = performance.now() - start;
    return { sent: up.result, received: down.result, uploadMs: up.ms, downloadMs: down.ms, totalMs };
  } finally {
    session.close();
  }
}

function isIdentical({ sent, received }: Trip): boolean {
  if (sent.sizeBytes !== received.sizeBytes || sent.digests.sha256 === undefined) return false;
  return sent.digests.sha256 === received.digests.sha256 && sent.digests.md5 === received.digests.md5;
}

function hintOf({ sent }: Trip): string {
  return `nothing was written; the server has the stream as ${sent.streamId}`;
}

function report(trip: Trip, paths: Paths, identical: boolean): string[] {
  const { sent, received, uploadMs, downloadMs, totalMs } = trip;
  const sizes = `${humanBytes(sent.sizeBytes)} sent, ${humanBytes(received.sizeBytes)} received`;
  const rows = [
    ["Stream", sent.streamId],
    ["Input", paths.input],
    ["Upload", againstTarget(sent.sizeBytes, uploadMs, targetUploadMbps)],
    ["Download", againstTarget(received.sizeBytes, downloadMs, targetDownloadMbps)],
    ["Total", humanDuration(totalMs)],
    ["Size", `${sizes} (${sent.sizeBytes} bytes)`],
    ...digestRows(sent.digests),
  ];
  if (identical) rows.push(["Output", paths.output], ["Result", "identical"]);
  else
    rows.push(...digestRows(received.digests).map(([, hex]) => ["  back", hex ?? ""]), [
      "Result",
      "DIFFERENT",
    ]);
  return table(rows);
}

function againstTarget(bytes: number, ms: number, targetMbps: number): string {
  const met = megabitsPerSecond(bytes, ms) >= targetMbps;
  const missed = ms < judgedMs ? "too short to tell" : "missed";
  return `${speedLine(bytes, ms)} (target ${targetMbps}: ${met ? "met" : missed})`;
}
