import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decodeLiveAudio, encodeLiveAudio, type LiveAudio } from "./live.ts";

const audio: LiveAudio = {
  sampleRate: 16_000,
  channels: 2,
  skipped: 320,
  timeMs: 1_738_314_300_000.5,
  pcm: Uint8Array.of(1, 0, 255, 255),
};
const golden = Buffer.from("574c5631803e000002000100400100000008a6b3b94b79420100ffff", "hex");

describe("live audio", () => {
  test("is encoded byte for byte as documented", () => {
    expect(Buffer.from(encodeLiveAudio(audio)).toString("hex")).toBe(golden.toString("hex"));
    expect(decodeLiveAudio(golden)).toEqual(audio);
    expect(encodeLiveAudio({ ...audio, skipped: 0 })[10]).toBe(0);
  });

  test("survives a round trip", () => {
    const some = fc.record({
      sampleRate: fc.integer({ min: 1, max: 768_000 }),
      channels: fc.integer({ min: 1, max: 32 }),
      skipped: fc.nat(0xffffffff),
      timeMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
      pieces: fc.nat(20),
    });
    fc.assert(
      fc.property(some, ({ pieces, ...rest }) => {
        const pcm = new Uint8Array(2 * rest.channels * pieces).fill(7);
        expect(decodeLiveAudio(encodeLiveAudio({ ...rest, pcm }))).toEqual({ ...rest, pcm });
      }),
    );
  });

  test("is refused, never misread, if it is anything else", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expect(decodeLiveAudio(bytes)).toBeUndefined()));
    expect(decodeLiveAudio(golden.subarray(0, 27))).toBeUndefined();
    for (const [at, zeros] of [
      [0, 4],
      [4, 4],
      [8, 2],
    ] as const) {
      const changed = Buffer.from(golden);
      changed.fill(0, at, at + zeros);
      expect(decodeLiveAudio(changed)).toBeUndefined();
    }
    const endless = Buffer.from(golden);
    endless.writeDoubleLE(Number.NaN, 16);
    expect(decodeLiveAudio(endless)).toBeUndefined();
  });

  test("counts as much as fits where more was skipped", () => {
    expect(decodeLiveAudio(encodeLiveAudio({ ...audio, skipped: 2 ** 33 }))?.skipped).toBe(2 ** 32 - 1);
  });
});
