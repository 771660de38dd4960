/** Limits of levels, peaks and silence. */
import { mustHold } from "./relation.ts";

/** Samples per pixel of the finest peaks. Coarser ones are multiples of this. */
export const basePixelSamples = 256;
/** Levels are of blocks of this duration; live levels come at this interval. */
export const levelBlockMs = 100;
/** Pixels of a recording's finest peaks in memory; more are appended to their file. */
export const bufferedPixels = 1024;
/** Finest pixels in a pixel of a recording's overview, which the catalog keeps. */
export const overviewFactor = 64;
/** Pixels of an overview; a longer recording gets half as many, twice as long. */
export const maxOverviewPixels = 1024;
mustHold("an overview can be halved", maxOverviewPixels % 2 === 0);
