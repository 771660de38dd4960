/** Ceilings without a server: one thread of this machine works through the bytes of an upload. */
import * as fs from "node:fs";
import { join } from "node:path";
import { KiB, MiB } from "../../src/base/limits/units.ts";
import type { Noise, StreamAudio } from "./audio.ts";
import type { Timed } from "./transfers.ts";

/** Duration of hashing and copying, enough for two digits. */
const roundMs = 200;
/** Write files in pieces of the size that the server uses. */
const writeBytes = 256 * KiB;
const copyTargetBytes = 32 * MiB;

/** SHA-256 of frames. */
export function hashAlone(noise: Noise, frameBytes: number): Timed {
  const hasher = new Bun.CryptoHasher("sha256");
  return repeat(noise, frameBytes, (frame) => void hasher.update(frame));
}

/** Copies frames to memory outside all processor caches. */
export function copyAlone(noise: Noise, frameBytes: number): Timed {
  const target = new Uint8Array(copyTargetBytes);
  let at = 0;
  return repeat(noise, frameBytes, (frame) => {
    if (at + frame.length > target.length) at = 0;
    target.set(frame, at);
    at += frame.length;
  });
}

function repeat(noise: Noise, frameBytes: number, act: (frame: Uint8Array) => void): Timed {
  const began = performance.now();
  let bytes = 0;
  while (performance.now() - began < roundMs) {
    for (let at = 0; at + frameBytes <= noise.bytes.length; at += frameBytes) {
      act(noise.bytes.subarray(at, at + frameBytes));
      bytes += frameBytes;
    }
  }
  return { bytes, ms: performance.now() - began };
}

/** Writes each stream's bytes to a separate file in `folder`, and syncs all files at the end. */
export async function writeAlone(
  folder: string,
  noise: Noise,
  streams: { audio: StreamAudio }[],
): Promise<Timed> {
  const paths = streams.map((_, index) => join(folder, `bare-${index}`));
  const began = performance.now();
  try {
    for (const [index, { audio }] of streams.entries()) writeFile(paths[index]!, noise, audio.sizeBytes);
    await Promise.all(paths.map(syncFile));
    const ms = performance.now() - began;
    return { bytes: streams.reduce((sum, { audio }) => sum + audio.sizeBytes, 0), ms };
  } finally {
    for (const path of paths) fs.rmSync(path, { force: true });
  }
}

function writeFile(path: string, noise: Noise, sizeBytes: number): void {
  const descriptor = fs.openSync(path, "w");
  try {
    const piece = Math.min(writeBytes, noise.bytes.length);
    for (let at = 0; at < sizeBytes;) {
      at += fs.writeSync(descriptor, noise.bytes, 0, Math.min(piece, sizeBytes - at), at);
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await fs.promises.open(path, "r+");
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}
