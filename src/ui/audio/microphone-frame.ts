/** Under this name the worklet registers its processor. */
export const microphoneProcessor = "wavecache-microphone";

/** 20 ms of a microphone. */
export interface MicrophoneFrame {
  /** Samples of 16 bits, little-endian as on every machine that runs a browser. */
  pcm: ArrayBuffer;
  /** From 0 to 1. */
  peak: number;
  rms: number;
  isClipped: boolean;
}

const fullScale = 32_767;

/** `samples` are from -1 to 1; louder ones are clipped. */
export function toPcm16(samples: Float32Array): MicrophoneFrame {
  const pcm = new Int16Array(samples.length);
  let [peak, squares] = [0, 0];
  for (let at = 0; at < samples.length; at++) {
    const value = samples[at]!;
    peak = Math.max(peak, Math.abs(value));
    squares += value * value;
    pcm[at] = Math.round(Math.max(-1, Math.min(1, value)) * fullScale);
  }
  return { pcm: pcm.buffer, peak, rms: Math.sqrt(squares / samples.length), isClipped: peak >= 1 };
}
