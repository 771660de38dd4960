/** Limits of levels, peaks and silence. */
import { mustHold } from "./relation.ts";
import { MiB } from "./units.ts";

/** Samples per pixel of the finest peaks. Coarser ones are multiples of this. */
export const basePixelSamples = 256;
/** Levels are of blocks of this duration; live levels come at this interval. */
export const levelBlockMs = 100;
/** Pixels of a recording's finest peaks in memory; more are appended to their file. */
export const bufferedPixels = 1024;
/** Blocks of a recording's levels in memory; more are appended to their file. */
export const bufferedLevels = 256;
/** Finest pixels in a pixel of a recording's overview, which the catalog keeps. */
export const overviewFactor = 64;
/** Pixels of an overview; a longer recording gets half as many, twice as long. */
export const maxOverviewPixels = 1024;
/** Pixels of a whole sound's peaks; a longer sound gets half as many, twice as long. */
export const maxSoundPixels = 262_144;
/** Sounds whose peaks are measured, or wait for it; one more is refused with PEAKS_EXHAUSTED. */
export const maxPeakJobs = 32;
/** Peaks of sounds in the cache folder; above this the least recently used are removed. */
export const maxPeakCacheBytes = 256 * MiB;
/** Points of one answer; a request for more is refused. */
export const maxPeakPoints = 8192;
export const defaultPeakPoints = 1000;
/** Duration that one request for peaks may cover; a longer one is refused. */
export const maxPeaksRangeMs = 31 * 24 * 3_600_000;
/** Files of peaks, or of levels, that are read for one answer; for the other recordings it has less detail. */
export const maxPeakFiles = 1000;
/** Bytes of a recording's file of peaks, or of levels, that are read; a larger file counts as damaged. */
export const maxPeaksFileBytes = 32 * MiB;
/** Samples at the limits of 16 bits in a block that count as clipping: a single one may be a peak. */
export const minClippedSamples = 3;
/** Clipping of a recording is reported once in this time. */
export const clippingEventMs = 10_000;
/** Recordings of a writer thread whose live levels are shown; those of further ones are not. */
export const maxLevelCells = 4096;
/** Clients that follow live levels; one more is refused with LISTENERS_EXHAUSTED. */
export const maxLevelListeners = 64;
/** Characters of the pattern of devices; a longer one is refused. */
export const maxDevicePatternChars = 128;
/** Changes between sound and silence that are not in the catalog yet; above this the oldest are lost. */
export const maxUnsavedSpans = 10_000;
/** Spans of sound or silence in one page of a listing; a request for more is refused. */
export const maxListedSpans = 1000;

mustHold("an overview can be halved", maxOverviewPixels % 2 === 0 && maxSoundPixels % 2 === 0);
