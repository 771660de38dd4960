/** `download ID...`: writes streams of the cache to files. */
import { join } from "node:path";
import type { CAC } from "cac";
import type { ListedStream } from "../../client/http/streams.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import { CliError, failureOf, usageError } from "../kit/failures.ts";
import { defaultOutput, isFolder, OutputFile, plainName } from "../kit/files.ts";
import { endingOf } from "../streams/media-types.ts";
import { type Downloaded, openSession, type Session } from "../streams/session.ts";
import { sideBySide, sumOf } from "../kit/side-by-side.ts";
import { humanBytes, table, visible } from "../kit/text.ts";
import {
  type Context,
  digestRows,
  parallelOf,
  parallelOption,
  speedLine,
  timed,
  transferOptions,
  windowOption,
} from "../streams/transfers.ts";

export function registerDownload(cli: CAC, context: Context): void {
  const command = cli
    .command("download <...ids>", "Download streams")
    .option("-o, --output <path>", "File to write, or folder (default: audio/output/output-{time}-{id})");
  parallelOption(windowOption(transferOptions(command)))
    .example("  $ bun run client download my-song -o song.mp3")
    .example("  $ bun run client download one.wav two.wav three.wav -o songs --parallel 3")
    .action((ids: string[], options: Options) => download(ids, options, context));
}

async function download(ids: readonly string[], options: Options, context: Context): Promise<void> {
  const [id = ""] = ids;
  const parallel = parallelOf(options);
  const output = textOption(options, "output");
  const folder = output !== undefined && (output.endsWith("/") || (await isFolder(output)));
  const session = await openSession(options, context);
  try {
    if (ids.length === 1 && !folder) await downloadOne(id, session, options, context);
    else await downloadMany(ids, parallel, session, options, context);
  } finally {
    session.close();
  }
}

async function downloadOne(id: string, session: Session, options: Options, context: Context): Promise<void> {
  const info = await known(id, session);
  const output = await OutputFile.create(
    textOption(options, "output") ?? defaultOutput(id + endingFor(id, info)),
  );
  try {
    const { result, ms } = await timed(context, "download", info?.size, (onProgress) =>
      session.download({ streamId: id, sink: output, ...expected(info), onProgress }),
    );
    await output.commit();
    for (const line of report(result, ms, output.path)) context.terminal.print(line);
  } finally {
    await output.discard();
  }
}

async function downloadMany(
  ids: readonly string[],
  parallel: number,
  session: Session,
  options: Options,
  context: Context,
): Promise<void> {
  const unique = [...new Set(ids)];
  const folder = textOption(options, "output");
  if (folder === "") throw usageError("the output path is empty", "give the path of a folder");
  const { result, ms } = await timed(context, "download", undefined, (onProgress) => {
    const progress = sumOf(onProgress);
    const run = (id: string) => downloadFile(id, session, folder, context, progress());
    const onFailure = ({ job, error }: { job: string; error: unknown }) =>
      context.terminal.note(`${job}: ${failureOf(error).line}`);
    return sideBySide(unique, parallel, context.signal, run, onFailure);
  });
  if (result.done.length > 0) {
    for (const line of summary(result.done, unique.length, ms)) context.terminal.print(line);
  }
  const missing = result.failed.length + result.skipped;
  if (missing > 0) {
    throw new CliError(
      `${missing} of ${unique.length} streams are not downloaded`,
      "the lines above say why",
    );
  }
}

async function downloadFile(
  id: string,
  session: Session,
  folder: string | undefined,
  { terminal }: Context,
  onProgress: (bytes: number) => void,
): Promise<Downloaded> {
  const info = await known(id, session);
  const name = id + endingFor(id, info);
  const output = await OutputFile.create(
    folder === undefined ? defaultOutput(name) : join(folder, plainName(name)),
  );
  try {
    const result = await session.download({ streamId: id, sink: output, ...expected(info), onProgress });
    await output.commit();
    const word = result.verified ? "identical" : "not verified";
    terminal.print(visible(`${word}  ${id}  ${humanBytes(result.sizeBytes)}  ${output.path}`));
    return result;
  } finally {
    await output.discard();
  }
}

/** What the server says of the stream; undefined where it has no list to ask. */
async function known(id: string, session: Session): Promise<ListedStream | undefined> {
  const info = await session.info(id);
  if (info === "unknown") return undefined;
  if (info !== undefined) return info;
  throw new CliError(`no such stream: ${id}`, "the command list shows which there are");
}

/** An unfinished stream may still grow: its size is no promise. */
function expected(info: ListedStream | undefined): {
  sizeBytes: number | undefined;
  sha256: string | undefined;
} {
  if (info === undefined || info.state === "unfinished") return { sizeBytes: undefined, sha256: undefined };
  return { sizeBytes: info.size, sha256: info.sha256 ?? undefined };
}

/** Ids that come from names have their ending already. */
function endingFor(id: string, info: ListedStream | undefined): string {
  const ending = endingOf(info?.format);
  return id.toLowerCase().endsWith(ending) ? "" : ending;
}

function report(result: Downloaded, ms: number, path: string): string[] {
  const end = result.ending === "size" ? "" : ` (${result.ending})`;
  return table([
    ["Stream", result.streamId],
    ["Download", speedLine(result.sizeBytes, ms)],
    ...digestRows(result.digests),
    ["Output", path],
    [
      "Result",
      result.verified ? "identical to what was uploaded" : `not verified: the server gives no digest${end}`,
    ],
  ]);
}

function summary(done: readonly Downloaded[], streams: number, ms: number): string[] {
  const bytes = done.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const identical = done.filter(({ verified }) => verified).length;
  return table([
    ["Streams", `${done.length} of ${streams}`],
    ["Download", speedLine(bytes, ms)],
    ["Result", `${identical} identical to what was uploaded`],
  ]);
}
