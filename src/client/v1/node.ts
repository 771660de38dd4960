/** `wavecache/client` for Node. Node 22 and later have a WebSocket; older ones need a class passed in. */
import { createHash } from "node:crypto";
import * as zlib from "node:zlib";
import { ClientError } from "../errors.ts";
import { type Client, connectWith, type ConnectOptions } from "./client.ts";
import { openerOf, type SocketClass, type StreamPlatform } from "./platform.ts";

export * from "./exports.ts";

/**
 * Connects to a server's WebSocket address, such as `ws://localhost:8080/audio`. Throws BAD_ARGUMENT where Node has no
 * WebSocket and none is passed in; `connectWith` lists the other codes.
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<Client> {
  const { WebSocket, ...rest } = options;
  return connectWith(url, { ...rest, platform: nodePlatform(WebSocket ?? globalSocketClass()) });
}

/** The types promise a global WebSocket, but Node has none before 22. */
function globalSocketClass(): SocketClass {
  if ("WebSocket" in globalThis) return globalThis.WebSocket;
  const hint = 'pass one: connect(url, { WebSocket }), with import { WebSocket } from "ws"';
  throw new ClientError("BAD_ARGUMENT", "this version of Node has no WebSocket", hint);
}

function nodePlatform(socketClass: SocketClass): StreamPlatform {
  return {
    openSocket: openerOf(socketClass),
    newDigest: (name) => {
      const hash = createHash(name);
      return { update: (bytes) => void hash.update(bytes), hex: () => hash.copy().digest("hex") };
    },
    // Node has crc32 since 20.15. A named import would fail to load on older versions, hence the namespace.
    crc32: "crc32" in zlib ? (bytes) => zlib.crc32(bytes) : undefined,
  };
}
