/** What the catalog has of recordings of one device that follow each other without a gap. */
import type { RecordedWav, RecordingEntry } from "../../src/base/recording-entry.ts";
import { WavDigest } from "../../src/store/recordings/wav-digest.ts";

export const device = "kitchen";
export const sampleRate = 16_000;
export const segmentSeconds = 10;
export const dataBytes = segmentSeconds * sampleRate * 2;
/** When the first one began. */
export const startMs = Date.UTC(2026, 0, 1);

/** Its path in the folder of the recordings, without an extension. */
export function segmentName(index: number): string {
  return `${device}/${String(index).padStart(6, "0")}`;
}

export function segmentEntry(index: number, wav: RecordedWav): RecordingEntry {
  const samples = segmentSeconds * sampleRate;
  const startedAt = startMs + index * segmentSeconds * 1000;
  const session = {
    session: "c.0",
    run: "r",
    sessionStartUs: startMs * 1000,
    steppedMs: 0,
    deviceTimeMs: null,
  };
  return {
    name: segmentName(index),
    device,
    streamId: 7,
    codec: "pcm",
    sampleRate,
    channels: 1,
    startedAt,
    endedAt: startedAt + segmentSeconds * 1000,
    frames: 500,
    samples,
    gaps: 0,
    lostFrames: 0,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement: { ...session, position: index * samples, losses: [] },
    bin: { bytes: 0, sha256: sha256Of(new Uint8Array(0)) },
    wav,
  };
}

/** Of the bytes of a whole file. */
export function wavOf(bytes: Uint8Array): RecordedWav {
  const digest = new WavDigest();
  digest.add(bytes);
  return digest.finish();
}

function sha256Of(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
}
