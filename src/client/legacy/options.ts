/** Options that uploads and downloads share. */
import { connect, type Connection, type ConnectionLimits } from "../transport/connection.ts";
import {
  answerTimeoutMs,
  connectTimeoutMs,
  endIdleMs,
  lowWaterBytes,
  highWaterBytes,
  stallTimeoutMs,
} from "../limits.ts";
import type { DigestName, Platform } from "../transport/platform.ts";
import { defaultRetryPolicy, type RetryNotice, type RetryPolicy } from "../transport/retry.ts";
import { shownUrl } from "../transport/credential.ts";

/** Events of a transfer, for logs and notices. */
export type ClientEvent =
  | { type: "connecting"; url: string }
  | { type: "started"; streamId: string; resumable: boolean }
  | { type: "resumed"; streamId: string; offset: number }
  | { type: "restarted"; oldStreamId: string; streamId: string }
  /** The server had other bytes of the stream: they are discarded, and the upload begins at byte 0. */
  | { type: "startedOver"; streamId: string }
  | { type: "stopping"; streamId: string }
  | { type: "reading"; streamId: string; offset: number }
  | ({ type: "retrying" } & RetryNotice);

export interface TransferLimits extends ConnectionLimits {
  /** A request without an answer after this time fails. */
  answerTimeoutMs: number;
  /** A stream of unknown size ends after this idle time. */
  endIdleMs: number;
  /** Buffered bytes at which sending pauses, and at which it resumes. */
  highWaterBytes: number;
  lowWaterBytes: number;
}

export interface TransferOptions {
  platform: Platform;
  /** The server's WebSocket address, used exactly as given. */
  url: string;
  /** Open connections to use first. The transfer removes each one that it uses. */
  openConnections?: Connection[];
  /** Digests to compute; SHA-256 by default, an empty list for none. */
  digests?: readonly DigestName[];
  retry?: Partial<RetryPolicy>;
  limits?: Partial<TransferLimits>;
  /** Aborts the transfer; the call then throws the signal's reason. */
  signal?: AbortSignal;
  /** Called with the bytes sent or received so far; they decrease when an upload restarts. */
  onProgress?: (bytes: number) => void;
  onEvent?: (event: ClientEvent) => void;
}

const defaultTransferLimits: TransferLimits = {
  connectTimeoutMs,
  stallTimeoutMs,
  answerTimeoutMs,
  endIdleMs,
  highWaterBytes,
  lowWaterBytes,
};

/** The connection for one attempt: an open one if there is one, else a new one. */
export async function connectionFor(options: TransferOptions, limits: TransferLimits): Promise<Connection> {
  const { platform, url, signal, openConnections, onEvent } = options;
  onEvent?.({ type: "connecting", url: shownUrl(url) });
  return openConnections?.shift() ?? (await connect(platform, url, signal, limits));
}

export function transferLimits(options: TransferOptions): TransferLimits {
  return { ...defaultTransferLimits, ...options.limits };
}

export function retryPolicy(options: TransferOptions): RetryPolicy {
  return { ...defaultRetryPolicy, ...options.retry };
}
