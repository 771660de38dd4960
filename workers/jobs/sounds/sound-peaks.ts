/** Measures the peaks of a sound, of one channel, and stores them in the cache folder. */
import * as fs from "node:fs";
import { dirname } from "node:path";
import { WavecacheError } from "../../../src/base/errors.ts";
import { failpoint } from "../../../src/base/failpoint.ts";
import { maxPeakCacheBytes, maxSoundPixels } from "../../../src/base/limits/peaks.ts";
import { encodeDat, type Peaks } from "../../../src/codec/peaks/dat.ts";
import { Overview } from "../../../src/codec/peaks/overview.ts";
import { PeakMeter } from "../../../src/codec/peaks/peak-meter.ts";
import { trimStoredSounds } from "../../../src/store/sounds/stored-sound.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import type { MonoPiece } from "./mono-audio.ts";
import { openAudio } from "./open-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";

/** The first of a thread removes what a dead thread left behind. */
let isFirst = true;

/** Writes the file of peaks to `path`. Throws SOUND_UNREADABLE, SONG_CHANGED, CancelledError or the system's error. */
export async function storePeaks(source: SoundSourceFile, path: string, pace: EncodingPace): Promise<void> {
  const peaks = await measure(source, pace);
  if (!source.isUnchanged) throw new WavecacheError("SONG_CHANGED");
  failpoint("peaks.store");
  fs.mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.tmp`;
  fs.writeFileSync(temporary, encodeDat(peaks));
  fs.renameSync(temporary, path);
  trimStoredSounds(dirname(path), maxPeakCacheBytes, isFirst);
  isFirst = false;
}

async function measure(source: SoundSourceFile, pace: EncodingPace): Promise<Peaks> {
  const audio = await openAudio(source, pace);
  try {
    const overview = new Overview(1, maxSoundPixels, 1);
    let meter: PeakMeter | undefined;
    let sampleRate = 0;
    for (let piece = await audio.read(); piece !== undefined; piece = await audio.read()) {
      sampleRate ||= piece.sampleRate;
      meter ??= new PeakMeter(1, sampleRate, { pixel: (pixel) => overview.add(pixel, 0), block: () => {} });
      const samples = toPcm16(piece, sampleRate);
      meter.push(samples, 0, samples.length);
    }
    if (meter === undefined) throw new WavecacheError("SOUND_UNREADABLE", "no audio in it");
    meter.endPart();
    return { sampleRate, samplesPerPixel: overview.samplesPerPixel, channels: 1, data: overview.values() };
  } finally {
    audio.free();
  }
}

/** A piece at another rate than the first is stretched by repeating or leaving out samples: its peaks stay. */
function toPcm16({ samples, sampleRate }: MonoPiece, targetRate: number): Int16Array {
  const step = sampleRate / targetRate;
  return Int16Array.from({ length: Math.round(samples.length / step) }, (_, at) => {
    const sample = samples[Math.min(samples.length - 1, Math.floor(at * step))]!;
    return Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768)));
  });
}
