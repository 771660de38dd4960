import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { opusFrameSamples } from "../opus.ts";
import { OggOpusParser } from "./ogg-opus.ts";
import { parseOggPage } from "./ogg.ts";
import { opusJoinSamples, OpusWriter } from "./opus-writer.ts";

/** A packet of 20 ms: a frame of CELT with this many bytes. */
const packetOf = (bytes: number, fill = 7) => new Uint8Array(bytes).fill(fill).fill(31 << 3, 0, 1);

/** Pages of these packets, each of at most five. */
function written(packets: Uint8Array[]): Uint8Array[] {
  const writer = new OpusWriter(4711);
  const pages = writer.head();
  for (let at = 0; at < packets.length; at += 5) pages.push(writer.page(packets.slice(at, at + 5)));
  return [...pages, writer.end()];
}

describe("an Ogg/Opus stream", () => {
  test("has the packets that were written, of any size", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1276 }), { minLength: 1 }), (sizes) => {
        const packets = sizes.map((bytes, at) => packetOf(bytes, at & 0xff));
        const parser = new OggOpusParser();
        const runs = parser.push(new Uint8Array(Buffer.concat(written(packets))));
        expect(runs.flatMap((run) => run.packets)).toEqual(packets);
        expect(parser.links.map(({ head }) => [head.channels, head.preSkip])).toEqual([[1, opusJoinSamples]]);
      }),
    );
  });

  test("counts pages and samples, and marks its beginning and its end", () => {
    const packets = Array.from({ length: 12 }, () => packetOf(160));
    const pages = written(packets).map((bytes) => {
      const result = parseOggPage(bytes, 0);
      if (result.kind !== "page") throw new Error("no page");
      return result.page;
    });
    expect(pages.map(({ number, granule }) => [number, Number(granule)])).toEqual([
      [0, 0],
      [1, 0],
      [2, 5 * opusFrameSamples],
      [3, 10 * opusFrameSamples],
      [4, 12 * opusFrameSamples],
      [5, 12 * opusFrameSamples],
    ]);
    expect(pages.map(({ isFirst, isLast }) => [isFirst, isLast])).toEqual([
      [true, false],
      ...Array.from({ length: 4 }, () => [false, false]),
      [false, true],
    ]);
    expect(pages.every(({ serial }) => serial === 4711)).toBe(true);
  });

  test("refuses packets that do not fit a page", () => {
    expect(() => new OpusWriter(1).page([packetOf(255 * 255)])).toThrow(RangeError);
  });
});
