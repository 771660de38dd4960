/** `wavecache/client` for Bun. */
import { bunPlatform } from "../transport/bun.ts";
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import { openerOf } from "./platform.ts";

export * from "./exports.ts";

/**
 * Connects to a server's WebSocket address, such as `ws://localhost:8080/audio`. Throws ClientError; `connectWith`
 * lists the codes.
 */
export function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const { WebSocket, ...rest } = options;
  const openSocket = WebSocket === undefined ? bunPlatform.openSocket : openerOf(WebSocket);
  return connectWith(url, { ...rest, platform: { ...bunPlatform, openSocket } });
}
