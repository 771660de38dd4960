import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { decodeDat, encodeDat, encodeDatHeader, type Peaks } from "./dat.ts";

const peaks: Peaks = {
  sampleRate: 16_000,
  samplesPerPixel: 256,
  channels: 2,
  data: Int16Array.of(-1, 2, -300, 400, -32_768, 32_767, 0, 0),
};

describe("a file of peaks", () => {
  test("has the layout of audiowaveform, version 2", () => {
    const file = Buffer.from(encodeDat(peaks));
    expect(file.toString("hex", 0, 24)).toBe(
      ["02000000", "00000000", "803e0000", "00010000", "02000000", "02000000"].join(""),
    );
    expect(file.toString("hex", 24)).toBe("ffff0200d4fe90010080ff7f00000000");
  });

  test("is decoded as it was encoded, at any offset of a buffer", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: -32_768, max: 32_767 }), { maxLength: 40 }),
      fc.nat(3),
      (channels, values, offset) => {
        const whole = values.slice(0, values.length - (values.length % (2 * channels)));
        const original = { ...peaks, channels, data: Int16Array.from(whole) };
        const file = encodeDat(original);
        const shifted = new Uint8Array(file.length + offset);
        shifted.set(file, offset);
        expect(decodeDat(shifted.subarray(offset))).toEqual(original);
      },
    );
    fc.assert(property);
  });

  test("may have values of 8 bits", () => {
    const header = encodeDatHeader({ sampleRate: 8000, samplesPerPixel: 512, channels: 1 }, 2);
    header[4] = 1;
    const file = Uint8Array.of(...header, 0x80, 0x7f, 0xff, 1);
    expect(decodeDat(file)?.data).toEqual(Int16Array.of(-32_768, 32_512, -256, 256));
  });

  test("is refused if it is cut, too long, of another version, or has impossible fields", () => {
    const file = encodeDat(peaks);
    for (let length = 0; length < file.length; length++)
      expect(decodeDat(file.subarray(0, length))).toBeUndefined();
    expect(decodeDat(Uint8Array.of(...file, 0))).toBeUndefined();
    for (const field of [0, 8, 12, 20]) {
      const wrong = encodeDat(peaks);
      wrong.fill(0, field, field + 4);
      expect(decodeDat(wrong)).toBeUndefined();
    }
  });
});
