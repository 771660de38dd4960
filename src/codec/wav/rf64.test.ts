import { expect, test } from "bun:test";
import { encodePcmHeader, rf64HeaderBytes } from "./rf64.ts";
import { encodeWavHeader, parseWavHead } from "./wav.ts";

const GiB4 = 2 ** 32;

test("audio that fits WAV gets the header of WAV", () => {
  for (const bytes of [0, 4, GiB4 - 40]) {
    expect(encodePcmHeader(16_000, 2, bytes)).toEqual(encodeWavHeader(16_000, 2, bytes));
  }
});

test("longer audio gets a header of RF64 that states its size", () => {
  for (const bytes of [GiB4 - 36, GiB4, 86_400 * 192_000]) {
    const head = encodePcmHeader(48_000, 2, bytes);
    expect(head.length).toBe(rf64HeaderBytes);
    expect(Buffer.from(head.subarray(0, 4)).toString()).toBe("RF64");
    expect(parseWavHead(head, head.length + bytes)).toEqual({
      kind: "format",
      format: {
        sampleRate: 48_000,
        channels: 2,
        encoding: "s16",
        frameBytes: 4,
        dataAt: rf64HeaderBytes,
        dataBytes: bytes,
      },
    });
  }
});
