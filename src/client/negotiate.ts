/** Which protocol a server speaks: v1 where it agrees to it and says so itself, the older one everywhere else. */
import { decodeServerMessage } from "../wire/v1/decode.ts";
import { subprotocol } from "../wire/v1/messages.ts";
import { connect, type Connection, type SocketFrame } from "./transport/connection.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import { helloTimeoutMs } from "./limits.ts";
import { defaultRetryPolicy, withRetries, type RetryNotice } from "./transport/retry.ts";
import { Client, connectWith, offerStreams, type PlatformConnectOptions } from "./v1/client.ts";

export const protocolChoices = ["auto", "v1", "legacy"] as const;
export type ProtocolChoice = (typeof protocolChoices)[number];

/** With the older protocol the connection that has shown it, if any: nothing was sent or taken on it. */
export type Agreement =
  { protocol: "v1"; client: Client } | { protocol: "legacy"; connection: Connection | undefined };

/** Servers that do not know a subprotocol may end the handshake in any of these ways. */
const declining: ReadonlySet<ClientErrorCode> = new Set([
  "REFUSED",
  "UNREACHABLE",
  "CONNECT_TIMEOUT",
  "OTHER_PROTOCOL",
]);

/** Throws ClientError, or the reason of the signal. With `legacy` nothing is asked. */
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
    if (!(error instanceof ClientError) || !declining.has(error.code)) throw error;
    return { protocol: "legacy", connection: await connect(platform, url, signal, limits) };
  }
  if (connection.protocol !== subprotocol) return { protocol: "legacy", connection };
  // Some servers agree to whatever they are offered: one that speaks v1 greets without being greeted.
  const frame = await connection.peek(performance.now() + helloTimeoutMs);
  if (!isGreeting(frame)) return { protocol: "legacy", connection };
  return { protocol: "v1", client: new Client(url, options, connection) };
}

function isGreeting(frame: SocketFrame | undefined): boolean {
  if (frame === undefined || typeof frame === "string") return false;
  return ["HELLO", "ERROR"].includes(decodeServerMessage(frame).type);
}
