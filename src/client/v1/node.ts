/** `wavecache/client` under Node: from 22 on with its own WebSocket, before that with one that is handed in (`ws`). */
import { createHash } from "node:crypto";
import * as zlib from "node:zlib";
import { ClientError } from "../errors.ts";
import type { Socket } from "../platform.ts";
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import type { StreamPlatform } from "./platform.ts";

export * from "./library.ts";

export interface NodeConnectOptions extends ConnectOptions {
  /** A class like the web's WebSocket; the global one by default. */
  WebSocket?: (new (url: string, protocols: string[]) => Socket) | undefined;
}

/** Connects to a server's address, such as `ws://localhost:8080/audio`; see `connectWith`. */
export function connect(url: string, options: NodeConnectOptions = {}): Promise<Client> {
  return connectWith(url, { ...options, platform: options.platform ?? nodePlatform(options.WebSocket) });
}

function nodePlatform(given: NodeConnectOptions["WebSocket"]): StreamPlatform {
  // Absent before Node 22, whatever the types say.
  const WebSocketClass = given ?? globalThis.WebSocket;
  if (WebSocketClass === undefined) {
    const hint = 'hand one in: connect(url, { WebSocket }) with import { WebSocket } from "ws"';
    throw new ClientError("BAD_ARGUMENT", "this Node has no WebSocket", hint);
  }
  return {
    openSocket: (url, protocols) => new WebSocketClass(url, [...protocols]),
    newDigest: (name) => {
      const hash = createHash(name);
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
    },
    // Since 20.15; the namespace, because a missing name would be an error of linking.
    crc32: "crc32" in zlib ? (bytes) => zlib.crc32(bytes) : undefined,
  };
}
