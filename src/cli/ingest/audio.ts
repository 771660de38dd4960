/** The audio source of `stream`: a WAV file or standard input. */
import { FileTrack } from "../../client/ingest/file-track.ts";
import { type FormatOptions, ingestFormat } from "../../client/ingest/format.ts";
import { PipedAudio } from "../../client/ingest/piped-audio.ts";
import { PipedTrack } from "../../client/ingest/piped-track.ts";
import type { FrameTrack } from "../../client/ingest/track.ts";
import { WavSource } from "../../client/ingest/wav-source.ts";
import { usageError } from "../kit/failures.ts";
import { openSource } from "../kit/files.ts";

/** How audio is encoded into frames; sample rate and channels come from the source. */
export type Coding = Pick<FormatOptions, "codec" | "nibbles" | "frameMs">;

export interface OpenTrack {
  track: FrameTrack;
  close(): Promise<void>;
}

export async function openFileTrack(path: string, coding: Coding, loop: boolean): Promise<OpenTrack> {
  const source = await openSource(path);
  try {
    const wav = await WavSource.open(source);
    const { sampleRate, channels } = wav;
    const track = new FileTrack(wav, ingestFormat({ ...coding, sampleRate, channels }), { loop });
    return { track, close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Reads stdin until its end or until `stop`. Without a WAV header, the samples have the format `raw`. */
export async function openInputTrack(
  coding: Coding,
  raw: { sampleRate: number; channels: number },
  stop: AbortSignal,
): Promise<OpenTrack> {
  if (process.stdin.isTTY) {
    const hint = "pipe audio into it, for example: arecord -t raw -f S16_LE -r 16000 | ...";
    throw usageError("standard input is a terminal", hint);
  }
  const audio = await PipedAudio.open(Bun.stdin.stream(), raw, stop);
  const { sampleRate, channels } = audio;
  return {
    track: new PipedTrack(audio, ingestFormat({ ...coding, sampleRate, channels })),
    close: () => Promise.resolve(),
  };
}
