/** `wavecache/client` for browsers. They have no incremental SHA-256, so sizes and CRCs are compared but no digest. */
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import { openerOf } from "./platform.ts";

export * from "./exports.ts";

/**
 * Connects to a server's WebSocket address, such as `wss://host/audio`. Throws ClientError; `connectWith` lists the
 * codes.
 */
export function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const { WebSocket = globalThis.WebSocket, ...rest } = options;
  return connectWith(url, { ...rest, platform: { openSocket: openerOf(WebSocket) } });
}
