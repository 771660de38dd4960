import { WavecacheError } from "../../../src/base/errors.ts";
import { type AudioProbe, probeAudio } from "../../../src/codec/probe.ts";
import type { EncodingPace } from "./encoding-pace.ts";
import { openFlac } from "./flac-audio.ts";
import type { MonoAudio } from "./mono-audio.ts";
import { openMp3 } from "./mp3-audio.ts";
import { inspectOpus, openOpus } from "./opus-audio.ts";
import type { SoundSourceFile } from "./sound-source-file.ts";
import { openWav } from "./wav-audio.ts";

/** Decodes a file of any length. Throws SOUND_UNREADABLE, SONG_CHANGED or CancelledError. */
export async function openAudio(file: SoundSourceFile, pace: EncodingPace): Promise<MonoAudio> {
  const probe = await probeAudio((from, bytes) => file.read(from, bytes));
  if (probe.format !== "audio/ogg; codecs=opus") return await openProbed(file, probe, pace, Infinity);
  return openOpus(file, await inspectOpus(file, pace, Infinity), pace);
}

/** Decodes a file that is WAV, MP3 or FLAC. Throws SOUND_UNREADABLE for any other, and SOUND_TOO_LONG. */
export async function openProbed(
  file: SoundSourceFile,
  { format, at }: AudioProbe,
  pace: EncodingPace,
  maxMs?: number,
): Promise<MonoAudio> {
  if (format === "audio/wav") return await openWav(file, pace, maxMs);
  if (format === "audio/mpeg") return await openMp3(file, at, file.size, pace);
  if (format === "audio/flac") return await openFlac(file, at, pace);
  const what = file.size === 0 ? "an empty file" : (format ?? "an unknown audio format");
  throw new WavecacheError("SOUND_UNREADABLE", `${what}; WAV, MP3, FLAC and Opus in Ogg can be read`);
}
