/** What a decoder makes of a sound's file: samples in mono, piece by piece. */
export interface MonoAudio {
  /** In Hz. */
  readonly sampleRate: number;
  /** The next samples, 1.0 being full scale; undefined at the end. Throws SOUND_UNREADABLE. */
  read(): Float32Array | undefined;
  free(): void;
}

/** Length of a piece: short, so that the first packet of a sound is soon there. */
export const piecesPerSecond = 10;

/** The mean of all channels, which never clips. */
export function mixPlanes(planes: readonly Float32Array[]): Float32Array {
  const [first, ...others] = planes;
  if (first === undefined || others.length === 0) return first ?? new Float32Array(0);
  return first.map((sample, at) => others.reduce((sum, plane) => sum + plane[at]!, sample) / planes.length);
}

/** The same for interleaved samples of 16 bits. */
export function mixInterleaved(pcm: Int16Array, channels: number): Float32Array {
  const out = new Float32Array(pcm.length / channels);
  const scale = 1 / (32_768 * channels);
  for (let sample = 0; sample < out.length; sample++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += pcm[sample * channels + channel]!;
    out[sample] = sum * scale;
  }
  return out;
}
