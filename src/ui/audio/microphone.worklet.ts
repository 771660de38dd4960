/**
 * Takes the samples of a microphone in the audio thread, mixes them to one channel, and posts them to the page as PCM16, a
 * frame at a time.
 */
import { type MicrophoneFrame, microphoneProcessor, toPcm16 } from "./microphone-frame.ts";

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: { postMessage(frame: MicrophoneFrame, transfer: ArrayBuffer[]): void };
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

const frameMs = 20;

class MicrophoneProcessor extends AudioWorkletProcessor {
  readonly #frame = new Float32Array(Math.round((sampleRate * frameMs) / 1000));
  #filled = 0;

  process([input]: Float32Array[][]): boolean {
    const length = input?.[0]?.length ?? 0;
    for (let at = 0; at < length; at++) {
      const sum = input!.reduce((total, channel) => total + channel[at]!, 0);
      this.#frame[this.#filled++] = sum / input!.length;
      if (this.#filled === this.#frame.length) this.#post();
    }
    return true;
  }

  #post(): void {
    this.#filled = 0;
    const frame = toPcm16(this.#frame);
    this.port.postMessage(frame, [frame.pcm]);
  }
}

registerProcessor(microphoneProcessor, MicrophoneProcessor);
