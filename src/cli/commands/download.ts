/** `download ID...`: writes streams to files. */
import { join } from "node:path";
import type { CAC } from "cac";
import type { ListedStream } from "../../client/http/streams.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, failureOf, usageError } from "../kit/failures.ts";
import { defaultOutput, isFolder, OutputFile, safeFileName } from "../kit/files.ts";
import { runParallel, sharedProgress } from "../kit/parallel.ts";
import { humanBytes, table, visible } from "../kit/text.ts";
import { noSuchStream } from "../streams/catalog.ts";
import { extensionOf } from "../streams/media-types.ts";
import { openTransferSession } from "../streams/open-session.ts";
import { parallelOf, parallelOption, transferOptions, windowOption } from "../streams/transfer-options.ts";
import { digestRows, speedText, timed } from "../streams/transfer-report.ts";
import type { Downloaded, TransferSession } from "../streams/transfer-session.ts";

export function registerDownload(cli: CAC, context: Context): void {
  const command = cli
    .command("download <...ids>", "Download streams to files")
    .option("-o, --output <path>", "Output file or folder (default: audio/output/output-{time}-{id})");
  parallelOption(windowOption(transferOptions(command)))
    .example("  $ bun run client download my-song -o song.mp3")
    .example("  $ bun run client download one.wav two.wav three.wav -o songs --parallel 3")
    .action((ids: string[], options: Options) => download(ids, options, context));
}

async function download(ids: readonly string[], options: Options, context: Context): Promise<void> {
  const [id = ""] = ids;
  const parallel = parallelOf(options);
  const output = textOption(options, "output");
  const intoFolder = output !== undefined && (output.endsWith("/") || (await isFolder(output)));
  const session = await openTransferSession(options, context);
  try {
    if (ids.length === 1 && !intoFolder) await downloadOne(id, session, output, context);
    else await downloadMany([...new Set(ids)], parallel, session, output, context);
  } finally {
    session.close();
  }
}

async function downloadOne(
  id: string,
  session: TransferSession,
  path: string | undefined,
  context: Context,
): Promise<void> {
  const info = await infoOf(id, session);
  const output = await OutputFile.create(path ?? defaultOutput(fileNameOf(id, info)));
  try {
    const { result, ms } = await timed(context, "download", info?.size, (onProgress) =>
      session.download({ streamId: info?.streamId ?? id, sink: output, ...expected(info), onProgress }),
    );
    await output.commit();
    context.terminal.printAll(reportOne(result, ms, output.path));
  } finally {
    await output.discard();
  }
}

async function downloadMany(
  ids: readonly string[],
  parallel: number,
  session: TransferSession,
  folder: string | undefined,
  context: Context,
): Promise<void> {
  if (folder === "") throw usageError("the output path is empty", "give the path of a folder");
  const { terminal, signal } = context;
  const { result, ms } = await timed(context, "download", undefined, (onProgress) => {
    const newProgress = sharedProgress(onProgress);
    return runParallel(
      ids,
      parallel,
      signal,
      (id) => downloadFile(id, session, folder, context, newProgress()),
      ({ job: id, error }) => terminal.note(`${id}: ${failureOf(error).line}`),
    );
  });
  if (result.done.length > 0) terminal.printAll(reportMany(result.done, ids.length, ms));
  const missing = result.failed.length + result.skipped;
  if (missing === 0) return;
  throw new CliError(`${missing} of ${ids.length} streams are not downloaded`, "the lines above say why");
}

async function downloadFile(
  id: string,
  session: TransferSession,
  folder: string | undefined,
  { terminal }: Context,
  onProgress: (bytes: number) => void,
): Promise<Downloaded> {
  const info = await infoOf(id, session);
  const name = fileNameOf(id, info);
  const output = await OutputFile.create(
    folder === undefined ? defaultOutput(name) : join(folder, safeFileName(name)),
  );
  try {
    const result = await session.download({
      streamId: info?.streamId ?? id,
      sink: output,
      ...expected(info),
      onProgress,
    });
    await output.commit();
    const state = result.verified ? "identical" : "not verified";
    terminal.print(visible(`${state}  ${id}  ${humanBytes(result.sizeBytes)}  ${output.path}`));
    return result;
  } finally {
    await output.discard();
  }
}

/** Undefined if the server has no stream list; throws if the stream does not exist. */
async function infoOf(id: string, session: TransferSession): Promise<ListedStream | undefined> {
  const info = await session.info(id);
  if (info === undefined) throw noSuchStream(id);
  return info === "unknown" ? undefined : info;
}

/** Expects nothing of an unfinished stream, because it may still grow. */
function expected(info: ListedStream | undefined): {
  sizeBytes: number | undefined;
  sha256: string | undefined;
} {
  if (info === undefined || info.state === "unfinished") return { sizeBytes: undefined, sha256: undefined };
  return { sizeBytes: info.size, sha256: info.sha256 ?? undefined };
}

/** Adds the extension of the stream's format, unless the id ends with it. */
function fileNameOf(id: string, info: ListedStream | undefined): string {
  const extension = extensionOf(info?.format);
  return id.toLowerCase().endsWith(extension) ? id : id + extension;
}

function reportOne(result: Downloaded, ms: number, path: string): string[] {
  const end = result.ending === "size" ? "" : ` (${result.ending})`;
  return table([
    ["Stream", result.streamId],
    ["Download", speedText(result.sizeBytes, ms)],
    ...digestRows(result.digests),
    ["Output", path],
    [
      "Result",
      result.verified
        ? "identical to what was uploaded"
        : `not verified: the server provides no digest${end}`,
    ],
  ]);
}

function reportMany(done: readonly Downloaded[], streams: number, ms: number): string[] {
  const bytes = done.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const identical = done.filter(({ verified }) => verified).length;
  return table([
    ["Streams", `${done.length} of ${streams}`],
    ["Download", speedText(bytes, ms)],
    ["Result", `${identical} identical to what was uploaded`],
  ]);
}
