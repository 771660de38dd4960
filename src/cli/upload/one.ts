/** Uploads one file. */
import { basename } from "node:path";
import { commandPrefix } from "../../base/program.ts";
import { ClientError } from "../../client/errors.ts";
import type { UploadResult } from "../../client/legacy/upload.ts";
import { defaultServer } from "../connect/server-options.ts";
import { type Options, requiredText } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, Interrupted } from "../kit/failures.ts";
import { openSource } from "../kit/files.ts";
import { type CommandResult, printResult } from "../kit/results.ts";
import { shellWord, table } from "../kit/text.ts";
import { openTransferSession } from "../streams/open-session.ts";
import { digestRows, keptRows, speedText, timed } from "../streams/transfer-report.ts";
import type { TransferSession } from "../streams/transfer-session.ts";

export interface OneFile {
  path: string;
  streamId: string | undefined;
  resume: boolean;
}

export async function uploadOne(
  { path, streamId, resume }: OneFile,
  options: Options,
  context: Context,
): Promise<void> {
  const source = await openSource(path);
  const name = basename(path);
  let session: TransferSession | undefined;
  let startedId: string | undefined;
  const onStarted = (id: string) => void (startedId = id);
  try {
    const opened = await openTransferSession(options, context);
    session = opened;
    const { result, ms } = await timed(context, `upload ${name}`, source.sizeBytes, (onProgress) =>
      opened.upload({ source, name, streamId, resume, onProgress, onStarted }),
    );
    refuseUnacknowledged(result);
    printResult(options, context.terminal, resultOf(result, ms));
  } catch (error) {
    throw startedId === undefined
      ? error
      : withResumeHint(error, path, startedId, requiredText(options, "server"));
  } finally {
    session?.close();
    await source.close();
  }
}

/** Fails without an acknowledgement: no later step would check what the server has stored. */
export function refuseUnacknowledged({ acknowledgement, sizeBytes, streamId }: UploadResult): void {
  if (acknowledgement !== "none" || sizeBytes === 0) return;
  const message = `the server did not acknowledge the end of ${streamId}`;
  throw new CliError(message, "download it to see what is stored, or upload it again");
}

/** Adds the command that continues, where the server may still have the stream and another attempt can succeed. */
export function withResumeHint(error: unknown, path: string, streamId: string, server: string): unknown {
  const flags = server === defaultServer ? "" : ` -s ${shellWord(server)}`;
  const hint = `continue with: ${commandPrefix} client upload ${shellWord(path)} --resume ${streamId}${flags}`;
  if (error instanceof Interrupted) return new Interrupted(error, hint);
  const isTransient = error instanceof ClientError && transientCodes.has(error.code);
  return isTransient ? new ClientError(error.code, error.detail, hint) : error;
}

const transientCodes: ReadonlySet<string> = new Set([
  "CONNECTION_LOST",
  "UNREACHABLE",
  "CONNECT_TIMEOUT",
  "BUSY",
]);

function resultOf(result: UploadResult, ms: number): CommandResult {
  const { streamId, sizeBytes, keptBytes, digests, reconnects } = result;
  const verified = result.acknowledgement === "verified";
  const durationMs = Math.round(ms * 1000) / 1000;
  const lines = table([
    ["Stream", streamId],
    ["Upload", speedText(sizeBytes - keptBytes, ms)],
    ...keptRows(keptBytes),
    ...digestRows(digests),
    ["Server", verified ? "has the same size and SHA-256" : "sends no digest to compare"],
  ]);
  const json = { streamId, size: sizeBytes, kept: keptBytes, ...digests, verified, reconnects, durationMs };
  return { json, lines };
}
