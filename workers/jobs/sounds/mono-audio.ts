/** A decoded sound: mono samples, piece by piece. */
export interface MonoAudio {
  /** The next piece; undefined at the end. Throws SOUND_UNREADABLE, SONG_CHANGED or CancelledError. */
  read(): Promise<MonoPiece | undefined>;
  free(): void;
}

export interface MonoPiece {
  /** Full scale is 1.0. */
  samples: Float32Array;
  /** In Hz; it may differ from that of the piece before. */
  sampleRate: number;
}

/** Pieces are short: the first packet of a sound is ready soon. */
export const piecesPerSecond = 10;

/** Mixes to mono by the mean of all channels, which never clips. */
export function mixPlanes(planes: readonly Float32Array[]): Float32Array {
  const [first, ...others] = planes;
  if (first === undefined || others.length === 0) return first ?? new Float32Array(0);
  return first.map((sample, at) => others.reduce((sum, plane) => sum + plane[at]!, sample) / planes.length);
}

/** As `mixPlanes`, for interleaved 16-bit samples. */
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
