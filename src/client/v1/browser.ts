/** `wavecache/client` in a browser, where nothing computes a SHA-256 on the way. */
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import { openerOf } from "./platform.ts";

export * from "./exports.ts";

/** Connects to a server's address, such as `wss://host/audio`; see `connectWith`. */
export function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const { WebSocket = globalThis.WebSocket, ...rest } = options;
  return connectWith(url, { ...rest, platform: { openSocket: openerOf(WebSocket) } });
}
