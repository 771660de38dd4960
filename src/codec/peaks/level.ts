/** Levels of PCM16, and their decibels. 0 dBFS is full scale; a sine of full scale has an RMS of -3 dBFS. */

/** The level of some audio, over all of its channels. */
export interface Level {
  /** The largest magnitude, 0 to 32768. */
  peak: number;
  /** The mean of the squares, 0 to 2 ** 30. */
  meanSquare: number;
  /** Samples at the limits of 16 bits. */
  clipped: number;
}

const fullScale = 32_768;
/** Stands for digital silence, whose level has no number. A single bit is at -90 dBFS. */
export const silenceDbfs = -120;

export function peakDbfs({ peak }: Level): number {
  return peak === 0 ? silenceDbfs : 20 * Math.log10(peak / fullScale);
}

export function rmsDbfs({ meanSquare }: Level): number {
  return meanSquare === 0 ? silenceDbfs : Math.max(silenceDbfs, 10 * Math.log10(meanSquare / fullScale ** 2));
}

/** The mean square at this RMS. */
export function meanSquareOf(dbfs: number): number {
  return fullScale ** 2 * 10 ** (dbfs / 10);
}
