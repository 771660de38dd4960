/** What uploads and downloads are told alike. */
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

/** What happens on the way, for logs and notices. */
export type ClientEvent =
  | { type: "connecting"; url: string }
  | { type: "started"; streamId: string; resumable: boolean }
  | { type: "resumed"; streamId: string; offset: number }
  | { type: "restarted"; oldStreamId: string; streamId: string }
  | { type: "stopping"; streamId: string }
  | { type: "reading"; streamId: string; offset: number }
  | ({ type: "retrying" } & RetryNotice);

export interface TransferLimits extends ConnectionLimits {
  /** How long an answer may take. */
  answerTimeoutMs: number;
  /** How long a server must be silent for a stream of unknown size to be over. */
  endIdleMs: number;
  /** Bytes waiting in the socket at which sending pauses, and at which it goes on. */
  highWaterBytes: number;
  lowWaterBytes: number;
}

export interface TransferOptions {
  platform: Platform;
  /** The server's address, used exactly as given. */
  url: string;
  /** Connections made already, which are used first, and taken out. */
  made?: Connection[];
  /** Digests to compute on the way; SHA-256 alone by default, an empty list for none. */
  digests?: readonly DigestName[];
  retry?: Partial<RetryPolicy>;
  limits?: Partial<TransferLimits>;
  /** Stops the transfer at once; the call then throws the signal's reason. */
  signal?: AbortSignal;
  /** Bytes that have left or arrived so far; may go back when an upload starts again. */
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

/** The connection of an attempt: one made already, or a new one. */
export async function connectionFor(options: TransferOptions, limits: TransferLimits): Promise<Connection> {
  const { platform, url, signal, made, onEvent } = options;
  onEvent?.({ type: "connecting", url });
  return made?.shift() ?? (await connect(platform, url, signal, limits));
}

export function transferLimits(options: TransferOptions): TransferLimits {
  return { ...defaultTransferLimits, ...options.limits };
}

export function retryPolicy(options: TransferOptions): RetryPolicy {
  return { ...defaultRetryPolicy, ...options.retry };
}
