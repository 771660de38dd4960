/** `download ID`: writes a stream of the cache to a file. */
import type { CAC } from "cac";
import { download, type DownloadResult } from "../../client/download.ts";
import { ClientError, type ClientErrorCode } from "../../client/errors.ts";
import { getStream, type StreamInfo } from "../../client/streams.ts";
import { flagOption, type Options, textOption } from "../arguments.ts";
import { CliError } from "../failures.ts";
import { defaultOutput, OutputFile } from "../files.ts";
import { table } from "../text.ts";
import {
  apiSettings,
  type Context,
  digestRows,
  speedLine,
  timed,
  transferOptions,
  transferSettings,
  windowGetsOf,
  windowOption,
} from "../transfers.ts";

/** Servers without the stream list may answer anything or nothing to HTTP. */
const listTimeoutMs = 5_000;
const listless: ReadonlySet<ClientErrorCode> = new Set(["NO_HTTP_API", "UNREACHABLE", "ANSWER_TIMEOUT"]);

/** The usual name endings of what the server says of a stream's format. */
const endings: Record<string, string> = {
  "audio/wav": ".wav",
  "audio/mpeg": ".mp3",
  "audio/ogg": ".ogg",
  "audio/flac": ".flac",
  "audio/mp4": ".m4a",
  "audio/aac": ".aac",
};

export function registerDownload(cli: CAC, context: Context): void {
  const command = cli
    .command("download <id>", "Download a stream")
    .option("-o, --output <file>", "File to write (default: audio/output/output-{time}-{id})");
  windowOption(transferOptions(command))
    .example("  $ bun run client download my-song -o song.mp3")
    .action((id: string, options: Options) => downloadStream(id, options, context));
}

async function downloadStream(id: string, options: Options, context: Context): Promise<void> {
  const settings = transferSettings(options, context);
  const windowGets = windowGetsOf(options);
  const info = await known(id, options, context);
  const output = await OutputFile.create(
    textOption(options, "output") ?? defaultOutput(id + endingOf(info?.format)),
  );
  try {
    const { sizeBytes, sha256 } = expected(info);
    const { result, ms } = await timed(context, "download", sizeBytes, (onProgress) =>
      download({ ...settings, streamId: id, sink: output, sizeBytes, sha256, windowGets, onProgress }),
    );
    await output.commit();
    for (const line of report(result, ms, output.path, sha256 !== undefined)) context.terminal.print(line);
  } finally {
    await output.discard();
  }
}

/** What the server says of the stream; undefined where it has no list to ask. */
async function known(id: string, options: Options, context: Context): Promise<StreamInfo | undefined> {
  try {
    const info = await getStream(id, { ...apiSettings(options, context), timeoutMs: listTimeoutMs });
    if (info !== undefined) return info;
  } catch (error) {
    if (!(error instanceof ClientError) || !listless.has(error.code)) throw error;
    if (flagOption(options, "verbose")) context.terminal.note(`${error.message}; the size is not known`);
    return undefined;
  }
  throw new CliError(`no such stream: ${id}`, "the command list shows which there are");
}

/** An unfinished stream may still grow: its size is no promise. */
function expected(info: StreamInfo | undefined): { sizeBytes?: number; sha256?: string } {
  if (info === undefined || info.state === "unfinished") return {};
  return { sizeBytes: info.size, sha256: info.sha256 ?? undefined };
}

function endingOf(format: string | null | undefined): string {
  if (format === null || format === undefined) return "";
  return endings[format.replace(/;.*$/, "").trim()] ?? "";
}

function report(result: DownloadResult, ms: number, path: string, verified: boolean): string[] {
  const end = result.ending === "size" ? "" : ` (${result.ending})`;
  return table([
    ["Stream", result.streamId],
    ["Download", speedLine(result.sizeBytes, ms)],
    ...digestRows(result.digests),
    ["Output", path],
    [
      "Result",
      verified ? "identical to what was uploaded" : `not verified: the server gives no digest${end}`,
    ],
  ]);
}
