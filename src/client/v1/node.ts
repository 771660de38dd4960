/** `wavecache/client` under Node: from 22 on with its own WebSocket, before that with one that is handed in. */
import { createHash } from "node:crypto";
import * as zlib from "node:zlib";
import { ClientError } from "../errors.ts";
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import { openerOf, type SocketClass, type StreamPlatform } from "./platform.ts";

export * from "./exports.ts";

/** Connects to a server's address, such as `ws://localhost:8080/audio`; see `connectWith`. */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const { WebSocket, ...rest } = options;
  return connectWith(url, { ...rest, platform: nodePlatform(WebSocket ?? globalSocketClass()) });
}

/** Node has none before 22, whatever the types say. */
function globalSocketClass(): SocketClass {
  if ("WebSocket" in globalThis) return globalThis.WebSocket;
  const hint = 'hand one in: connect(url, { WebSocket }), with import { WebSocket } from "ws"';
  throw new ClientError("BAD_ARGUMENT", "this Node has no WebSocket", hint);
}

function nodePlatform(socketClass: SocketClass): StreamPlatform {
  return {
    openSocket: openerOf(socketClass),
    newDigest: (name) => {
      const hash = createHash(name);
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
    },
    // Since 20.15; of the namespace, because importing a name that is not there is an error.
    crc32: "crc32" in zlib ? (bytes) => zlib.crc32(bytes) : undefined,
  };
}
