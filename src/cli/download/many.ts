/** Downloads many streams at once into a folder. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { flagOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { failureOf, fileError, Interrupted, PartialFailure } from "../kit/failures.ts";
import { defaultOutput, safeFileName, statOf } from "../kit/files.ts";
import { alreadyThere } from "../kit/output-file.ts";
import { type Outcomes, runParallel, sharedProgress } from "../kit/parallel.ts";
import { printResult } from "../kit/results.ts";
import { humanBytes, table, visible } from "../kit/text.ts";
import { keptRows, speedText, timed } from "../streams/transfer-report.ts";
import type { TransferSession } from "../streams/transfer-session.ts";
import { type Fetched, fetchToFile, type Wanted, wantedOf } from "./fetch.ts";
import { fileNameOf } from "./file-name.ts";

export interface ManyDownloads {
  idsOrNames: readonly string[];
  /** Undefined for new files in the default folder. */
  folder: string | undefined;
  mayReplace: boolean;
  parallel: number;
}

interface DownloadedFile extends Fetched {
  path: string;
}

export async function downloadMany(
  downloads: ManyDownloads,
  session: TransferSession,
  options: Options,
  context: Context,
): Promise<void> {
  const { idsOrNames, parallel } = downloads;
  const { terminal, signal } = context;
  try {
    const { result, ms } = await timed(context, "download", undefined, (onProgress, rename) => {
      const newProgress = sharedProgress(onProgress);
      let started = 0;
      const taken = new Map<string, string>();
      const run = async (id: string) => {
        rename(`${++started}/${idsOrNames.length} ${id}`);
        const file = await downloadFile(id, downloads, taken, session, newProgress());
        if (!flagOption(options, "json")) terminal.print(lineOf(id, file));
        return file;
      };
      return runParallel(idsOrNames, parallel, signal, run, ({ job: id, error }) =>
        terminal.note(`${id}: ${failureOf(error).line}`),
      );
    });
    printOutcomes(result, idsOrNames.length, ms, options, context);
  } catch (error) {
    throw error instanceof Interrupted
      ? new Interrupted(error, "repeat the same command to continue")
      : error;
  }
}

function lineOf(id: string, { verified, sizeBytes, path }: DownloadedFile): string {
  return visible(`${verified ? "identical" : "not verified"}  ${id}  ${humanBytes(sizeBytes)}  ${path}`);
}

async function downloadFile(
  id: string,
  { folder, mayReplace }: ManyDownloads,
  taken: Map<string, string>,
  session: TransferSession,
  onProgress: (bytes: number) => void,
): Promise<DownloadedFile> {
  const wanted = await wantedOf(id, session);
  const name = fileNameOf(wanted);
  const pathOf = (file: string) =>
    folder === undefined ? defaultOutput(file) : join(folder, safeFileName(file));
  // Several streams may have been files of one name.
  const isTaken = (taken.get(pathOf(name)) ?? id) !== id;
  const path = pathOf(isTaken ? `${id}-${name}` : name);
  taken.set(path, id);
  if (!mayReplace && (await statOf(path))?.isFile() === true) {
    const file = await identicalFile(wanted, path);
    if (file === undefined) throw alreadyThere(path);
    return file;
  }
  return { ...(await fetchToFile(wanted, path, mayReplace, session, onProgress)), path };
}

/** What an earlier run has downloaded; undefined if the file has other bytes, or nothing tells. */
async function identicalFile(
  { streamId, sizeBytes, sha256 }: Wanted,
  path: string,
): Promise<DownloadedFile | undefined> {
  const stats = await statOf(path);
  if (sha256 === undefined || sizeBytes === undefined || stats?.size !== sizeBytes) return undefined;
  if ((await sha256Of(path)) !== sha256) return undefined;
  const digests = { sha256 };
  const ending = "size" as const;
  return { streamId, sizeBytes, digests, ending, reconnects: 0, verified: true, keptBytes: sizeBytes, path };
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const block of createReadStream(path)) hash.update(block as Uint8Array);
  } catch (error) {
    throw fileError(path, error);
  }
  return hash.digest("hex");
}

/** Throws PartialFailure if any download failed. */
function printOutcomes(
  { done, failed, skipped }: Outcomes<string, DownloadedFile>,
  streams: number,
  ms: number,
  options: Options,
  { terminal }: Context,
): void {
  const errors = failed.map(({ job: id, error }) => {
    const { code, message, hint } = failureOf(error);
    return { id, code, message, hint };
  });
  const files = done.map(
    ({ streamId, sizeBytes: size, keptBytes: kept, digests, verified, path: output }) => {
      return { streamId, size, kept, sha256: digests.sha256, verified, output };
    },
  );
  const json = { files, failed: failed.map(({ job }) => job), errors, skipped };
  const lines = done.length > 0 ? reportLines(done, streams, ms) : [];
  printResult(options, terminal, { json, lines });
  const missing = failed.length + skipped;
  if (missing === 0) return;
  throw new PartialFailure(`${missing} of ${streams} streams are not downloaded`, "the lines above say why");
}

function reportLines(done: readonly DownloadedFile[], streams: number, ms: number): string[] {
  const bytes = done.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const keptBytes = done.reduce((sum, file) => sum + file.keptBytes, 0);
  const identical = done.filter(({ verified }) => verified).length;
  return table([
    ["Streams", `${done.length} of ${streams}`],
    ["Download", speedText(bytes - keptBytes, ms)],
    ...keptRows(keptBytes),
    ["Result", `${identical} identical to what was uploaded`],
  ]);
}
