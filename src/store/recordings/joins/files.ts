/** Writes the files of a joined recording. Each source is compared with its digest while it is copied. */
import { type FileHandle, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { MiB } from "../../../base/limits/units.ts";
import type { RecordedFile, RecordedWav } from "../../../base/recording-entry.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../../codec/wav/wav.ts";
import { syncFolder } from "../../layout.ts";
import type { RecordingRow } from "../catalog.ts";
import { WavDigest } from "../wav-digest.ts";

const blockBytes = 1 * MiB;

/** A file of a segment is not what was recorded, so the segments stay as they are. */
export class JoinRefusedError extends Error {}

/**
 * Creates both files, synced. Without `keepPackets` the `.bin` is empty. Throws JoinRefusedError or the system's error, also
 * if a file exists.
 */
export async function writeJoined(
  folder: string,
  name: string,
  rows: readonly RecordingRow[],
  keepPackets: boolean,
): Promise<{ bin: RecordedFile; wav: RecordedWav }> {
  const { sampleRate, channels } = rows[0]!;
  const audioBytes = rows.reduce((sum, { wav }) => sum + wav.bytes - wavHeaderBytes, 0);
  const header = encodeWavHeader(sampleRate, channels, audioBytes);
  const path = join(folder, name);
  const bins = keepPackets ? rows.map((row) => ({ path: pathOf(folder, row, "bin"), ...row.bin })) : [];
  const wavs = rows.map((row) => ({ path: pathOf(folder, row, "wav"), ...row.wav }));
  const { bytes, sha256 } = await writeFile(`${path}.bin`, new Uint8Array(0), bins, 0);
  const wav = await writeFile(`${path}.wav`, header, wavs, wavHeaderBytes);
  syncFolder(dirname(path));
  return { bin: { bytes, sha256 }, wav };
}

function pathOf(folder: string, { name }: RecordingRow, kind: "bin" | "wav"): string {
  return join(folder, `${name}.${kind}`);
}

type Source = RecordedFile & { path: string };

/** Writes the head, then each source without its own head. */
async function writeFile(
  path: string,
  head: Uint8Array,
  sources: readonly Source[],
  skippedBytes: number,
): Promise<Required<RecordedWav>> {
  await using target = await open(path, "wx");
  const digest = new WavDigest();
  const append = async (piece: Uint8Array) => {
    digest.add(piece);
    await target.writeFile(piece);
  };
  await append(head);
  for (const source of sources) await copySource(source, skippedBytes, append);
  await target.datasync();
  return digest.finish();
}

async function copySource(
  { path, bytes, sha256 }: Source,
  skippedBytes: number,
  append: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  const hasher = new Bun.CryptoHasher("sha256");
  await using source = await openSource(path);
  const block = new Uint8Array(blockBytes);
  let at = 0;
  for (;;) {
    const { bytesRead } = await source.read(block, 0, block.length, at);
    if (bytesRead === 0) break;
    const piece = block.subarray(0, bytesRead);
    hasher.update(piece);
    await append(piece.subarray(Math.min(bytesRead, Math.max(0, skippedBytes - at))));
    at += bytesRead;
  }
  if (at !== bytes || hasher.digest("hex") !== sha256)
    throw new JoinRefusedError(`${path} is not what was recorded`);
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw new JoinRefusedError(`${path} cannot be read`, { cause: error });
  }
}
