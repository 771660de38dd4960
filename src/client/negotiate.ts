/** Finds out which protocol a server speaks: v1 if it agrees to it and sends HELLO, otherwise the older one. */
import { decodeServerMessage } from "../wire/v1/decode.ts";
import { subprotocol } from "../wire/v1/messages.ts";
import { connect, type Connection, type SocketFrame } from "./transport/connection.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import { helloTimeoutMs } from "./limits.ts";
import { defaultRetryPolicy, withRetries, type RetryNotice } from "./transport/retry.ts";
import { Client, connectWith, offerStreams, type PlatformConnectOptions } from "./v1/client.ts";

export const protocolChoices = ["auto", "v1", "legacy"] as const;
export type ProtocolChoice = (typeof protocolChoices)[number];

/** With the older protocol, `connection` is the open connection that has shown it, if there is one. It is unused. */
export type Agreement =
  { protocol: "v1"; client: Client } | { protocol: "legacy"; connection: Connection | undefined };

/** The errors by which servers end a handshake whose subprotocol they do not know. */
const declineCodes: ReadonlySet<ClientErrorCode> = new Set([
  "REFUSED",
  "UNREACHABLE",
  "CONNECT_TIMEOUT",
  "OTHER_PROTOCOL",
]);

/**
 * Connects as `choice` says; with `legacy` it does not connect. Throws ClientError (OTHER_PROTOCOL if `v1` is chosen and
 * the server does not speak it), or the reason of the signal.
 */
export async function negotiate(
  choice: ProtocolChoice,
  url: string,
  options: PlatformConnectOptions,
): Promise<Agreement> {
  if (choice === "legacy") return { protocol: "legacy", connection: undefined };
  if (choice === "v1") return { protocol: "v1", client: await connectWith(url, options) };
  const { signal, retry, onEvent } = options;
  const onRetry = (notice: RetryNotice) => onEvent?.({ type: "retrying", ...notice });
  const hooks = { signal, progress: () => 0, onRetry };
  return await withRetries({ ...defaultRetryPolicy, ...retry }, hooks, () => attempt(url, options));
}

async function attempt(url: string, options: PlatformConnectOptions): Promise<Agreement> {
  const { platform, signal, limits } = options;
  let connection: Connection;
  try {
    connection = await offerStreams(url, options);
  } catch (error) {
    if (!(error instanceof ClientError) || !declineCodes.has(error.code)) throw error;
    return { protocol: "legacy", connection: await connect(platform, url, signal, limits) };
  }
  if (connection.protocol !== subprotocol) return { protocol: "legacy", connection };
  // Some servers agree to any subprotocol. A server that speaks v1 sends HELLO without waiting for the client's.
  const frame = await connection.peek(performance.now() + helloTimeoutMs);
  if (!isV1(frame)) return { protocol: "legacy", connection };
  return { protocol: "v1", client: new Client(url, options, connection) };
}

function isV1(frame: SocketFrame | undefined): boolean {
  if (frame === undefined || typeof frame === "string") return false;
  return ["HELLO", "ERROR"].includes(decodeServerMessage(frame).type);
}
