/** What protocol v1 needs from the program it runs in. */
import type { Crc32 } from "../../wire/v1/crc32.ts";
import type { Digest, DigestName, Socket, SocketPlatform } from "../transport/platform.ts";

export interface StreamPlatform extends SocketPlatform {
  /** A running digest; where there is none, as in browsers, sizes and CRCs are compared, but no SHA-256. */
  newDigest?: (name: DigestName) => Digest;
  /** A native CRC-32, where there is one. */
  crc32?: Crc32;
}

/** A class like the web's WebSocket. */
export type SocketClass = new (url: string, protocols: string[]) => Socket;

/** Opens sockets of a class. */
export function openerOf(SocketOfClass: SocketClass): StreamPlatform["openSocket"] {
  return (url, protocols) => new SocketOfClass(url, [...protocols]);
}
