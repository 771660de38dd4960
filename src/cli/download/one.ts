/** Downloads one stream to a file or to standard output. */
import { commandPrefix } from "../../base/program.ts";
import { defaultServer } from "../connect/server-options.ts";
import { type Options, requiredText } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { Interrupted } from "../kit/failures.ts";
import { defaultOutput } from "../kit/files.ts";
import { type CommandResult, printResult } from "../kit/results.ts";
import { shellWord, table } from "../kit/text.ts";
import { digestRows, keptRows, speedText, timed } from "../streams/transfer-report.ts";
import type { TransferSession } from "../streams/transfer-session.ts";
import { type Fetched, fetchToFile, type Wanted, wantedOf } from "./fetch.ts";
import { fileNameOf } from "./file-name.ts";

export interface OneDownload {
  idOrName: string;
  /** Undefined for a new file in the default folder, "-" for standard output. */
  output: string | undefined;
  mayReplace: boolean;
}

export async function downloadOne(
  { idOrName, output, mayReplace }: OneDownload,
  session: TransferSession,
  options: Options,
  context: Context,
): Promise<void> {
  const wanted = await wantedOf(idOrName, session);
  const path = output ?? defaultOutput(fileNameOf(wanted));
  try {
    const { result, ms } = await timed(context, `download ${idOrName}`, wanted.sizeBytes, (onProgress) =>
      path === "-"
        ? fetchToStdout(wanted, session, context, onProgress)
        : fetchToFile(wanted, path, mayReplace, session, onProgress),
    );
    printResult(options, context.terminal, resultOf(result, ms, path));
  } catch (error) {
    const canContinue = error instanceof Interrupted && path !== "-" && wanted.sha256 !== undefined;
    throw canContinue ? new Interrupted(error, continueHint(idOrName, path, options)) : error;
  }
}

async function fetchToStdout(
  { streamId, sizeBytes, sha256 }: Wanted,
  session: TransferSession,
  { terminal }: Context,
  onProgress: (bytes: number) => void,
): Promise<Fetched> {
  const sink = { write: (bytes: Uint8Array) => terminal.write(bytes) };
  const job = { streamId, sink, offset: 0, sizeBytes, sha256, onProgress };
  return { ...(await session.download(job)), keptBytes: 0 };
}

function continueHint(idOrName: string, path: string, options: Options): string {
  const server = requiredText(options, "server");
  const flags = server === defaultServer ? "" : ` -s ${shellWord(server)}`;
  return `continue with: ${commandPrefix} client download ${shellWord(idOrName)} -o ${shellWord(path)}${flags}`;
}

function resultOf(fetched: Fetched, ms: number, path: string): CommandResult {
  const { streamId, sizeBytes, keptBytes, digests, verified, reconnects, ending } = fetched;
  const end = ending === "size" ? "" : ` (${ending})`;
  const lines = table([
    ["Stream", streamId],
    ["Download", speedText(sizeBytes - keptBytes, ms)],
    ...keptRows(keptBytes),
    ...digestRows(digests),
    ["Output", path],
    [
      "Result",
      verified ? "identical to what was uploaded" : `not verified: the server provides no digest${end}`,
    ],
  ]);
  const durationMs = Math.round(ms * 1000) / 1000;
  const json = {
    streamId,
    size: sizeBytes,
    kept: keptBytes,
    ...digests,
    verified,
    output: path,
    reconnects,
    durationMs,
  };
  return { json, lines };
}
