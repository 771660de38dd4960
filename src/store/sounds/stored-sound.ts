/**
 * A cache file with the Opus packets of a sound, which saves encoding it again.
 *
 * -- Format (all numbers little-endian)
 *
 *     char magic[8];           // "wvcsound"
 *     u32  version;            // 2; it also changes when the same file makes other packets
 *     u32  packets;
 *     u32  bytes;              // after the header
 *     u32  crc;                // CRC-32 (zlib) of the bytes after the header
 *     struct {
 *       u16 length;
 *       u8  bytes[length];
 *     } packet[packets];
 *
 * The writer uses a temporary name and renames the file when it is complete. It does not sync: a power cut may damage
 * the file. The checksum detects that, and the sound is encoded again.
 */
import * as fs from "node:fs";
import { readFile, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { failpoint } from "../../base/failpoint.ts";
import { isMissing, removeFile } from "../layout.ts";

const magic = "wvcsound";
const version = 2;
const headerBytes = 24;
const temporarySuffix = ".tmp";

/** Packets to deliver before yielding to the event loop. */
const maxPacketsPerBatch = 2_000;

/** Writes the packets of one sound, batch by batch. */
export class SoundWriter {
  readonly #path: string;
  readonly #temporary: string;
  #descriptor: number | undefined;
  #packets = 0;
  #bytes = 0;
  #crc = 0;

  /**
   * `tag` keeps the temporary files of concurrent writers of one sound apart. Creates the folder if it is missing.
   * Throws the system's error.
   */
  constructor(path: string, tag: number) {
    this.#path = path;
    this.#temporary = `${path}.${tag}${temporarySuffix}`;
    fs.mkdirSync(dirname(path), { recursive: true });
    this.#descriptor = fs.openSync(this.#temporary, "w");
    writeAll(this.#descriptor, new Uint8Array(headerBytes), 0);
  }

  append(packets: readonly Uint8Array[]): void {
    failpoint("sound.append");
    const body = encodePackets(packets);
    writeAll(this.#open(), body, headerBytes + this.#bytes);
    this.#packets += packets.length;
    this.#bytes += body.length;
    this.#crc = crc32(body, this.#crc);
  }

  /** Completes the file: writes the header and renames it. */
  finish(): void {
    const descriptor = this.#open();
    const header = new Uint8Array(headerBytes);
    const view = new DataView(header.buffer);
    header.set(new TextEncoder().encode(magic));
    view.setUint32(8, version, true);
    view.setUint32(12, this.#packets, true);
    view.setUint32(16, this.#bytes, true);
    view.setUint32(20, this.#crc, true);
    writeAll(descriptor, header, 0);
    fs.closeSync(descriptor);
    this.#descriptor = undefined;
    fs.renameSync(this.#temporary, this.#path);
  }

  /** Removes an unfinished file; does nothing after `finish`. */
  discard(): void {
    if (this.#descriptor === undefined) return;
    fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
    removeFile(this.#temporary);
  }

  #open(): number {
    if (this.#descriptor === undefined) throw new Error("the sound's file is closed");
    return this.#descriptor;
  }
}

/**
 * Passes the packets of a stored sound to `onPackets`, batch by batch, and marks the sound as used. Passes nothing of a
 * damaged file; one of an earlier version counts as missing. Throws the system's error.
 */
export async function readStoredSound(
  path: string,
  onPackets: (packets: Uint8Array[]) => void,
): Promise<"read" | "missing" | "damaged"> {
  let file: Uint8Array;
  try {
    file = await readFile(path);
  } catch (error) {
    if (isMissing(error)) return "missing";
    throw error;
  }
  if (isOutdated(file)) return "missing";
  if (!isWhole(file)) return "damaged";
  const now = new Date();
  // A read-only folder works too; without new timestamps, trimming only picks other sounds.
  await utimes(path, now, now).catch(() => undefined);
  for (let at = headerBytes; at < file.length;) {
    const packets: Uint8Array[] = [];
    while (at < file.length && packets.length < maxPacketsPerBatch) {
      const length = file[at]! | (file[at + 1]! << 8);
      packets.push(file.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    onPackets(packets);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return "read";
}

/** Removes the least recently used sounds until the rest fits; at a start, also the temporary files of a crash. */
export function trimStoredSounds(folder: string, maxBytes: number, isStarting: boolean): void {
  const sounds = filesOf(folder).filter(({ path }) => {
    if (isStarting && path.endsWith(temporarySuffix)) removeFile(path);
    return !path.endsWith(temporarySuffix);
  });
  sounds.sort((a, b) => b.usedMs - a.usedMs);
  let bytes = 0;
  for (const sound of sounds) {
    bytes += sound.bytes;
    if (bytes > maxBytes) removeFile(sound.path);
  }
}

function filesOf(folder: string): { path: string; bytes: number; usedMs: number }[] {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    return stat?.isFile() ? [{ path, bytes: stat.size, usedMs: stat.mtimeMs }] : [];
  });
}

function isOutdated(file: Uint8Array): boolean {
  if (file.length < headerBytes) return false;
  const stated = new DataView(file.buffer, file.byteOffset).getUint32(8, true);
  return stated > 0 && stated < version;
}

/** Whether header and checksum match, and the packets fill the file exactly. */
function isWhole(file: Uint8Array): boolean {
  if (file.length < headerBytes) return false;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const body = file.subarray(headerBytes);
  if (Buffer.from(file.subarray(0, 8)).toString("latin1") !== magic) return false;
  if (view.getUint32(8, true) !== version || view.getUint32(16, true) !== body.length) return false;
  if (crc32(body) !== view.getUint32(20, true)) return false;
  let packets = 0;
  let at = 0;
  for (; at + 2 <= body.length; packets++) at += 2 + (body[at]! | (body[at + 1]! << 8));
  return at === body.length && packets === view.getUint32(12, true);
}

function encodePackets(packets: readonly Uint8Array[]): Uint8Array {
  const bytes = packets.reduce((sum, packet) => sum + 2 + packet.length, 0);
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const packet of packets) {
    body[at] = packet.length;
    body[at + 1] = packet.length >> 8;
    body.set(packet, at + 2);
    at += 2 + packet.length;
  }
  return body;
}

function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(descriptor, bytes, done, bytes.length - done, at + done);
  }
}
