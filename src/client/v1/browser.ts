/** `wavecache/client` in a browser: the WebSocket that is there, and no SHA-256, for the web has none that runs. */
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import type { StreamPlatform } from "./platform.ts";

export * from "./library.ts";

const browserPlatform: StreamPlatform = {
  openSocket: (url, protocols) => new WebSocket(url, [...protocols]),
};

/** Connects to a server's address, such as `wss://host/audio`; see `connectWith`. */
export function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  return connectWith(url, { ...options, platform: options.platform ?? browserPlatform });
}
