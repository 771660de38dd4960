import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Random } from "../../../testing/harness/bytes.ts";
import { blockBytes, BlockSums, SumsBuilder, sumsFileBytes } from "./sums.ts";

function sumsOf(...pieces: Uint8Array[]): BlockSums {
  const builder = new SumsBuilder();
  for (const piece of pieces) builder.add(piece);
  return builder.finish();
}

const audio = new Random(1).bytes(5 * blockBytes + 100);

describe("block checksums", () => {
  test("do not depend on the pieces in which the audio arrives", () => {
    const whole = sumsOf(audio).encode();
    fc.assert(
      fc.property(fc.array(fc.nat(audio.length), { maxLength: 12 }), (cuts) => {
        const at = [0, ...cuts.toSorted((a, b) => a - b), audio.length];
        const pieces = at.slice(1).map((end, index) => audio.subarray(at[index], end));
        expect(sumsOf(...pieces).encode()).toEqual(whole);
      }),
    );
  });

  test("have one value for each range, which is that of its bytes alone", () => {
    const sums = sumsOf(audio);
    for (const [from, to] of [
      [0, blockBytes],
      [2 * blockBytes, 4 * blockBytes],
      [3 * blockBytes, audio.length],
    ] as const) {
      const alone = sumsOf(audio.subarray(from, to)).digestOf(0, to - from);
      expect(sums.digestOf(from, to)).toBe(alone);
      expect(sums.digestOf(0, to - from) === alone).toBe(from === 0);
    }
  });

  test("match the whole audio, and its blocks from any block on", () => {
    const sums = sumsOf(audio);
    expect(sums.size).toBe(audio.length);
    expect(sums.firstDamaged(0, audio)).toBeUndefined();
    for (let block = 0; block < 6; block += 1) {
      expect(sums.firstDamaged(block, audio.subarray(block * blockBytes))).toBeUndefined();
    }
  });

  test("find a change of any single bit, in its block", () => {
    const sums = sumsOf(audio);
    fc.assert(
      fc.property(fc.nat(audio.length - 1), fc.nat(7), (at, bit) => {
        const damaged = audio.slice();
        damaged[at] = damaged[at]! ^ (1 << bit);
        expect(sums.firstDamaged(0, damaged)).toBe(Math.floor(at / blockBytes));
      }),
    );
  });

  test("find blocks that changed places, and an end that is missing", () => {
    const sums = sumsOf(audio);
    const swapped = audio.slice();
    swapped.copyWithin(0, blockBytes, 2 * blockBytes);
    swapped.set(audio.subarray(0, blockBytes), blockBytes);
    expect(sums.firstDamaged(0, swapped)).toBe(0);
    expect(sums.firstDamaged(5, audio.subarray(5 * blockBytes, -1))).toBe(5);
    expect(sums.firstDamaged(0, new Uint8Array(6 * blockBytes).fill(1))).toBe(0);
    expect(sums.firstDamaged(6, audio.subarray(0, 10))).toBe(6);
  });
});

describe("a checksum file", () => {
  test.each([1, blockBytes - 1, blockBytes, blockBytes + 1, audio.length])(
    "of %d bytes of audio decodes",
    (size) => {
      const bytes = audio.subarray(0, size);
      const file = sumsOf(bytes).encode();
      expect(file.length).toBe(sumsFileBytes(size));
      const decoded = BlockSums.decode(file.slice())!;
      expect(decoded.size).toBe(size);
      expect(decoded.firstDamaged(0, bytes)).toBeUndefined();
      expect(decoded.encode()).toEqual(file);
    },
  );

  test("with any byte changed, added or removed does not decode", () => {
    const file = sumsOf(audio).encode();
    for (let at = 0; at < file.length; at += 1) {
      const damaged = file.slice();
      damaged[at] = ~damaged[at]!;
      expect([at, BlockSums.decode(damaged)]).toEqual([at, undefined]);
      expect([at, BlockSums.decode(file.slice(0, at))]).toEqual([at, undefined]);
    }
    expect(BlockSums.decode(new Uint8Array([...file, 0]))).toBeUndefined();
  });
});
