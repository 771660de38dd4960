/**
 * Levels of the recordings in progress of a node, for other nodes. Numbers are little-endian.
 *
 *     levels.wanted    { node }                             repeated before the lease ends
 *     levels.names     { list, names: [[hwid, streamId]] }  what the numbers of a list mean
 *     levels.values    struct {
 *                        u32 list;                          random for each list
 *                        struct {
 *                          u16 index;                       in the list
 *                          u16 peak;                        0 to 32768
 *                          f32 meanSquare;                  0 to 2 ** 30
 *                          u16 clipped;                     samples, up to 65535
 *                        } levels[];
 *                      }
 */
import * as v from "valibot";
import { decode, encode } from "./json.ts";

const headerBytes = 4;
const levelBytes = 10;
const maxCount = 0xffff;
const maxMeanSquare = 2 ** 30;

const u32 = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(0xffffffff));
const wanted = v.object({ node: v.pipe(v.string(), v.uuid()) });
const names = v.object({
  list: u32,
  names: v.pipe(v.array(v.tuple([v.nullable(v.string()), u32])), v.maxLength(maxCount + 1)),
});

export type LevelsWanted = v.InferOutput<typeof wanted>;
export type LevelNames = v.InferOutput<typeof names>;

export interface NumberedLevel {
  index: number;
  /** The largest magnitude. */
  peak: number;
  meanSquare: number;
  /** Samples at the limits of 16 bits. */
  clipped: number;
}

export interface LevelValues {
  list: number;
  levels: NumberedLevel[];
}

export const encodeLevelsWanted = (message: LevelsWanted): Uint8Array => encode(message);
export const encodeLevelNames = (message: LevelNames): Uint8Array => encode(message);

/** The three are undefined for what is no such message. */
export function decodeLevelsWanted(message: Uint8Array): LevelsWanted | undefined {
  return decode(wanted, message);
}

export function decodeLevelNames(message: Uint8Array): LevelNames | undefined {
  return decode(names, message);
}

export function decodeLevelValues(message: Uint8Array): LevelValues | undefined {
  if (message.length < headerBytes || (message.length - headerBytes) % levelBytes !== 0) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const levels: NumberedLevel[] = [];
  for (let at = headerBytes; at < message.length; at += levelBytes) {
    const meanSquare = view.getFloat32(at + 4, true);
    if (!(meanSquare >= 0 && meanSquare <= maxMeanSquare)) return undefined;
    levels.push({
      index: view.getUint16(at, true),
      peak: view.getUint16(at + 2, true),
      meanSquare,
      clipped: view.getUint16(at + 8, true),
    });
  }
  return { list: view.getUint32(0, true), levels };
}

export function encodeLevelValues({ list, levels }: LevelValues): Uint8Array {
  const message = new Uint8Array(headerBytes + levelBytes * levels.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, list, true);
  levels.forEach(({ index, peak, meanSquare, clipped }, order) => {
    const at = headerBytes + levelBytes * order;
    view.setUint16(at, index, true);
    view.setUint16(at + 2, peak, true);
    view.setFloat32(at + 4, meanSquare, true);
    view.setUint16(at + 8, Math.min(clipped, maxCount), true);
  });
  return message;
}
