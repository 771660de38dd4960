import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { flacFrame, type FlacFrameFields, flacHead, flacHeader } from "../../testing/fixtures/flac.ts";
import { findFlacSync, type FlacStream, parseFlacHeader, readFlacStream } from "./flac.ts";
import { FlacDecoder } from "./frame.ts";

const stream: FlacStream = { sampleRate: 11_025, bits: 20, audioAt: 0 };

function decode(bytes: Uint8Array): string | { planes: readonly (readonly number[])[]; bytes: number } {
  const header = parseFlacHeader(bytes, 0, stream);
  if (header === undefined) return "no header";
  const frame = new FlacDecoder().decode(bytes, 0, header);
  return typeof frame === "string"
    ? frame
    : { ...frame, planes: frame.planes.map((plane) => Array.from(plane)) };
}

function expectDecodes(fields: FlacFrameFields, planes = fields.planes): void {
  const bytes = flacFrame(fields);
  expect(decode(bytes)).toEqual({ planes, bytes: bytes.length });
}

const bitDepths = [8, 12, 16, 20, 24, 32] as const;
const codings = ["verbatim", "fixed", "linear"] as const;

describe("a FLAC frame", () => {
  test("gives the samples that it was made of, at every bit depth and by every predictor", () => {
    const frames = fc
      .record({
        bits: fc.constantFrom(...bitDepths),
        coding: fc.constantFrom(...codings),
        wastedBits: fc.nat(4),
        channels: fc.integer({ min: 1, max: 8 }),
        length: fc.integer({ min: 2, max: 40 }),
        number: fc.nat(0xfff),
      })
      .chain(({ bits, wastedBits, channels, length, coding, number }) => {
        const bound = 2 ** (bits - 1 - wastedBits);
        const sample = fc.integer({ min: -bound, max: bound - 1 }).map((value) => value * 2 ** wastedBits);
        const plane = fc.array(sample, { minLength: length, maxLength: length });
        const planes = fc.array(plane, { minLength: channels, maxLength: channels });
        return planes.map((drawn): FlacFrameFields => ({ planes: drawn, bits, wastedBits, coding, number }));
      });
    fc.assert(fc.property(frames, (fields) => expectDecodes(fields)));
  });

  test("of one value, or of residuals that are not coded, gives its samples", () => {
    expectDecodes({ planes: [[-7, -7, -7]], coding: "constant" });
    expectDecodes({ planes: [[5, -900, 32_767, -32_768, 4]], coding: "escaped" });
  });

  test("of a channel and a difference gives left and right, with a difference of 33 bits", () => {
    const left = [2 ** 31 - 1, -(2 ** 31), 3, -4];
    const right = [-(2 ** 31), 2 ** 31 - 1, -2, -7];
    const side = left.map((sample, at) => sample - right[at]!);
    const middle = left.map((sample, at) => Math.floor((sample + right[at]!) / 2));
    for (const [channelCode, planes] of [
      [8, [left, side]],
      [9, [side, right]],
      [10, [middle, side]],
    ] as const) {
      expectDecodes({ planes, channelCode, bits: 32 }, [left, right]);
    }
  });

  test("takes rate and bits from the head of the file if it leaves them out", () => {
    const planes = [[1, 2, 3]];
    const stated = { samples: 3, channels: 1, stereo: "independent", bits: 16 };
    const bytes = (sampleRate: number | "stream") => Uint8Array.from(flacHeader({ planes, sampleRate }));
    expect(parseFlacHeader(bytes(16_000), 0, stream)).toMatchObject({ ...stated, sampleRate: 16_000 });
    expect(parseFlacHeader(bytes("stream"), 0, stream)).toMatchObject({ ...stated, sampleRate: 11_025 });
  });

  test("whose end is missing is cut, and one with a wrong bit is damaged", () => {
    const bytes = flacFrame({ planes: [[1, -2, 3, -4, 5, 6]], coding: "fixed" });
    const { bytes: headerBytes } = parseFlacHeader(bytes, 0, stream)!;
    for (let length = headerBytes; length < bytes.length; length++) {
      expect(decode(bytes.subarray(0, length))).toBe("cut");
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const damaged = bytes.slice();
      damaged[bit >> 3]! ^= 0x80 >> (bit & 7);
      expect(decode(damaged)).toBeString();
    }
  });

  test("is found by its sync code, also if that is cut by the end", () => {
    expect(findFlacSync(Uint8Array.of(0xff, 0, 0xff, 0xfa, 0xff, 0xf9), 0)).toBe(4);
    expect(findFlacSync(Uint8Array.of(1, 0xff), 0)).toBe(1);
    expect(findFlacSync(Uint8Array.of(0xff, 0xf8, 1, 2), 1)).toBe(4);
  });
});

function read(file: Uint8Array, at = 0): Promise<FlacStream | undefined> {
  return readFlacStream((from, bytes) => file.subarray(from, from + bytes), at);
}

describe("the head of a FLAC file", () => {
  test("tells rate, bits and where the audio begins, behind tags and pictures", async () => {
    const head = flacHead({ sampleRate: 96_000, channels: 2, bits: 24 }, [
      [4, new Uint8Array(40)],
      [6, new Uint8Array(100_000)],
    ]);
    expect(await read(head)).toEqual({ sampleRate: 96_000, bits: 24, audioAt: head.length });
    const tagged = Buffer.concat([Buffer.alloc(9), head]);
    expect(await read(tagged, 9)).toEqual({ sampleRate: 96_000, bits: 24, audioAt: 9 + head.length });
  });

  test("is refused if it is cut, does not begin with its description, or does not end", async () => {
    const head = flacHead({}, [[1, new Uint8Array(3)]]);
    expect(await read(head.subarray(0, 30))).toBeUndefined();
    expect(await read(head.subarray(0, 42))).toBeUndefined();
    const other = head.slice();
    other[4] = 1;
    expect(await read(other)).toBeUndefined();
    expect(
      await read(
        flacHead(
          {},
          Array.from({ length: 1_001 }, () => [1, new Uint8Array(0)] as const),
        ),
      ),
    ).toBeUndefined();
  });
});
