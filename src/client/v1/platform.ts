/** What protocol v1 needs from the runtime. */
import type { Crc32 } from "../../wire/v1/crc32.ts";
import type { Digest, DigestName, Socket, SocketPlatform } from "../transport/platform.ts";

export interface StreamPlatform extends SocketPlatform {
  /** Starts an incremental digest. Without it (in browsers) sizes and CRCs are compared, but no SHA-256. */
  newDigest?: (name: DigestName) => Digest;
  /** A native CRC-32; without it a portable one in JavaScript is used. */
  crc32?: Crc32;
}

/** A class with the constructor and methods of the web's WebSocket. */
export type SocketClass = new (url: string, protocols: string[]) => Socket;

/** Opens sockets of this class. */
export function openerOf(SocketOfClass: SocketClass): StreamPlatform["openSocket"] {
  return (url, protocols) => new SocketOfClass(url, [...protocols]);
}
