/** `wavecache/client` under Bun. */
import { bunPlatform } from "../bun.ts";
import { type Client, connectWith, type ConnectOptions } from "./client.ts";

export * from "./library.ts";

/** Connects to a server's address, such as `ws://localhost:8080/audio`; see `connectWith`. */
export function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  return connectWith(url, { ...options, platform: options.platform ?? bunPlatform });
}
