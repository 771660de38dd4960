/** The audio of a period at another sample rate, from its beginning on. */
import { audioPieceBytes } from "../../../base/limits/audio-http.ts";
import { Resampler } from "../../../codec/resample.ts";
import { wavHeaderBytes } from "../../../codec/wav/wav.ts";
import { headerOf, type OpenWav, type PeriodFormat, type WavOpener } from "./period-audio.ts";
import { type Clip, isClip, type Piece, type Plan } from "./plan.ts";

type Bytes = Uint8Array<ArrayBuffer>;

export class ResampledAudio {
  readonly #plan: Plan;
  readonly #open: WavOpener;
  readonly #bytes: AsyncGenerator<Bytes>;
  #wav: OpenWav | undefined;

  constructor(plan: Plan, format: PeriodFormat, open: WavOpener) {
    this.#plan = plan;
    this.#open = open;
    this.#bytes = this.#all(headerOf(plan, format));
  }

  /** The next bytes; undefined at the end. Rejects with RECORDING_UNKNOWN, OBJECT_DAMAGED. */
  async next(): Promise<Bytes | undefined> {
    const { value } = await this.#bytes.next();
    return value as Bytes | undefined;
  }

  close(): void {
    void this.#bytes.return(undefined);
    void this.#closeWav();
  }

  async *#all(header: Bytes): AsyncGenerator<Bytes> {
    if (header.length > 0) yield header;
    for (const run of runsOf(this.#plan.pieces)) {
      if (isClip(run[0]!)) yield* this.#resampled(run as Clip[]);
      else yield* silence(run[0]!.samples * this.#plan.channels * 2);
    }
  }

  /** Clips that follow each other go through one resampler, so that nothing is heard between them. */
  async *#resampled(clips: readonly Clip[]): AsyncGenerator<Bytes> {
    const { session } = clips[0]!;
    const { sampleRate, channels } = this.#plan;
    const resamplers = Array.from(
      { length: session.channels },
      () => new Resampler(session.sampleRate, sampleRate),
    );
    let left = clips.reduce((sum, { samples }) => sum + samples, 0);
    const cut = (outputs: readonly Float32Array[]): Bytes => {
      const frames = Math.min(left, outputs[0]!.length);
      left -= frames;
      return interleaved(outputs, frames, channels);
    };
    for await (const pcm of this.#samplesOf(clips)) {
      yield cut(
        resamplers.map((resampler, channel) => resampler.push(channelOf(pcm, channel, session.channels))),
      );
    }
    yield cut(resamplers.map((resampler) => resampler.end()));
    // The rounded length of the run may be a sample more than that of its samples.
    yield* silence(left * channels * 2);
  }

  async *#samplesOf(clips: readonly Clip[]): AsyncGenerator<Int16Array> {
    for (const { segment, session, at, sourceSamples } of clips) {
      const frameBytes = 2 * session.channels;
      const pieceSamples = Math.max(1, Math.floor(audioPieceBytes / frameBytes));
      this.#wav = await this.#open(segment);
      for (let done = 0; done < sourceSamples; done += pieceSamples) {
        const length = Math.min(pieceSamples, sourceSamples - done) * frameBytes;
        const bytes = await this.#wav.read(wavHeaderBytes + (at + done) * frameBytes, length);
        yield new Int16Array(bytes.buffer, bytes.byteOffset, length / 2);
      }
      await this.#closeWav();
    }
  }

  async #closeWav(): Promise<void> {
    const wav = this.#wav;
    this.#wav = undefined;
    await wav?.close();
  }
}

/** Groups clips of one session that follow each other; a silence is a group of its own. */
function runsOf(pieces: readonly Piece[]): Piece[][] {
  const runs: Piece[][] = [];
  for (const piece of pieces) {
    const last = runs.at(-1)?.at(-1);
    if (last !== undefined && isClip(last) && isClip(piece) && follows(last, piece)) runs.at(-1)!.push(piece);
    else runs.push([piece]);
  }
  return runs;
}

export function follows(last: Clip, next: Clip): boolean {
  const isSameSession = last.segment.session === next.segment.session;
  return isSameSession && last.start + last.samples === next.start;
}

function* silence(bytes: number): Generator<Bytes> {
  for (let left = bytes; left > 0; left -= audioPieceBytes)
    yield new Uint8Array(Math.min(left, audioPieceBytes));
}

function channelOf(pcm: Int16Array, channel: number, channels: number): Float32Array {
  const out = new Float32Array(pcm.length / channels);
  for (let at = 0; at < out.length; at++) out[at] = pcm[at * channels + channel]! / 32_768;
  return out;
}

/** PCM16 of as many channels; mono goes to all of them, and other missing ones stay silent. */
function interleaved(outputs: readonly Float32Array[], frames: number, channels: number): Bytes {
  const out = new Int16Array(frames * channels);
  for (let channel = 0; channel < channels; channel++) {
    const samples = outputs.length === 1 ? outputs[0]! : outputs[channel];
    if (samples === undefined) continue;
    for (let at = 0; at < frames; at++) {
      const value = Math.round(samples[at]! * 32_768);
      out[at * channels + channel] = Math.max(-32_768, Math.min(32_767, value));
    }
  }
  return new Uint8Array(out.buffer);
}
