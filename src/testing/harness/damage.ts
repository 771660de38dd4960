/** Damages the files of a server's objects from outside, as a failing disk or another program does. */
import * as fs from "node:fs";
import { join } from "node:path";
import type { TestServer } from "./server.ts";

export function objectPath(server: TestServer, sha256: string): string {
  return join(server.cacheDir, "objects-v1", sha256.slice(0, 2), sha256);
}

/** Inverts one byte of a file in place: the file keeps its inode and its size. */
export function flipByte(path: string, at: number): void {
  const descriptor = fs.openSync(path, "r+");
  try {
    const byte = new Uint8Array(1);
    fs.readSync(descriptor, byte, 0, 1, at);
    byte[0] = ~byte[0]!;
    fs.writeSync(descriptor, byte, 0, 1, at);
  } finally {
    fs.closeSync(descriptor);
  }
}
