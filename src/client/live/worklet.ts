/**
 * The part of the player in the audio thread of a browser: an AudioWorkletProcessor. It gets the messages of the server
 * (wire/live.ts), resamples them to the rate of the AudioContext, and plays them through a jitter buffer.
 */
import { Resampler } from "../../codec/resample.ts";
import { decodeLiveAudio, type LiveAudio } from "../../wire/live.ts";
import { JitterBuffer } from "./jitter-buffer.ts";
import { reportMs } from "./limits.ts";
import { liveProcessor, type LiveReport } from "./processor.ts";

interface Port {
  onmessage: ((event: { data: ArrayBuffer }) => void) | null;
  postMessage(report: LiveReport): void;
}

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: Port;
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

class LiveProcessor extends AudioWorkletProcessor {
  readonly #buffer = new JitterBuffer(sampleRate);
  #resamplers: Resampler[] = [];
  #rate = 0;
  /** The time at the end of what was received. */
  #endMs: number | null = null;
  #skipped = 0;
  #unreported = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => this.#receive(new Uint8Array(data));
  }

  process(_: unknown, [output]: Float32Array[][]): boolean {
    if (output === undefined) return true;
    this.#buffer.read(output);
    this.#unreported += output[0]!.length;
    if (this.#unreported >= (sampleRate * reportMs) / 1000) this.#report();
    return true;
  }

  #receive(message: Uint8Array): void {
    const audio = decodeLiveAudio(message);
    if (audio === undefined) return;
    this.#prepare(audio);
    if (audio.skipped > 0) this.#buffer.markGap();
    this.#skipped += audio.skipped;
    const planes = planesOf(audio);
    this.#endMs = audio.timeMs + (1000 * planes[0]!.length) / audio.sampleRate;
    const isSame = audio.sampleRate === sampleRate;
    this.#buffer.push(isSame ? planes : planes.map((plane, at) => this.#resamplers[at]!.push(plane)));
  }

  /** Another connection may have another format. */
  #prepare({ sampleRate: rate, channels }: LiveAudio): void {
    if (rate === this.#rate && channels === this.#resamplers.length) return;
    this.#rate = rate;
    this.#resamplers = Array.from({ length: channels }, () => new Resampler(rate, sampleRate));
  }

  #report(): void {
    this.#unreported = 0;
    const { state } = this.#buffer;
    const timeMs = this.#endMs === null ? null : this.#endMs - state.bufferedMs;
    this.port.postMessage({ ...state, timeMs, skipped: this.#skipped });
  }
}

registerProcessor(liveProcessor, LiveProcessor);

function planesOf({ pcm, channels }: LiveAudio): Float32Array[] {
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.length);
  const length = pcm.length / 2 / channels;
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length }, (_, at) => view.getInt16(2 * (at * channels + channel), true) / 32_768),
  );
}
