import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { oggFile, opusHead, opusTags } from "../testing/fixtures/ogg.ts";
import { oggPageHeaderBytes, parseOggPage } from "./ogg.ts";
import { OggOpusError, OggOpusParser } from "./ogg-opus.ts";
import { isPlainOpusPacket, opusPacketSamples } from "./opus.ts";

const maxOggPageBytes = oggPageHeaderBytes + 255 + 255 * 255;

/** A packet of one mono CELT frame of 20 ms: its first byte, then anything. */
function plainPacket(length: number, fill = 7): Uint8Array {
  const packet = new Uint8Array(length).fill(fill);
  packet[0] = 31 << 3;
  return packet;
}

function parse(file: Uint8Array, pieceBytes = file.length): { parser: OggOpusParser; packets: Uint8Array[] } {
  const parser = new OggOpusParser();
  const packets: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += Math.max(1, pieceBytes)) {
    packets.push(...parser.push(file.subarray(at, at + Math.max(1, pieceBytes))));
  }
  return { parser, packets };
}

describe("Opus in Ogg", () => {
  test("survives a round trip with any packets, page sizes and piece sizes", () => {
    const packets = fc.array(fc.integer({ min: 1, max: 1_300 }), { minLength: 1, maxLength: 30 });
    const perPage = fc.integer({ min: 1, max: 12 });
    const piece = fc.integer({ min: 1, max: 4_000 });
    fc.assert(
      fc.property(
        packets,
        perPage,
        piece,
        fc.nat(70_000),
        (lengths, segmentsPerPage, pieceBytes, tagBytes) => {
          const audio = lengths.map((length, at) => plainPacket(length, at));
          const file = oggFile([opusHead(), opusTags(tagBytes), ...audio], { segmentsPerPage });
          expect(parse(file, pieceBytes).packets).toEqual(audio);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("with damage anywhere is refused or shortened, but never gives wrong packets", () => {
    const audio = Array.from({ length: 20 }, (_, at) => plainPacket(100 + at, at));
    const file = oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 4 });
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const damaged = file.slice();
        damaged[at] = damaged[at]! ^ difference;
        try {
          const { packets } = parse(damaged);
          expect(packets.length).toBeLessThan(audio.length);
          expect(packets).toEqual(audio.slice(0, packets.length));
        } catch (error) {
          expect(error).toBeInstanceOf(OggOpusError);
        }
      }),
    );
  });

  test("is never found in other bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), fc.boolean(), (bytes, isAlmost) => {
        if (isAlmost) bytes.set(new TextEncoder().encode("OggS\0").subarray(0, bytes.length));
        const result = parseOggPage(bytes, 0);
        expect(result.kind).not.toBe("page");
        if (result.kind === "more") expect(result.bytes).toBeLessThanOrEqual(maxOggPageBytes);
      }),
    );
  });

  test("knows its audible duration", () => {
    const audio = Array.from({ length: 10 }, () => plainPacket(50));
    const head = opusHead({ preSkip: 312 });
    expect(parse(oggFile([head, opusTags(), ...audio])).parser.audibleSamples).toBe(9_600 - 312);
    const trimmed = oggFile([head, opusTags(), ...audio], { endGranule: 9_000n });
    expect(parse(trimmed).parser.audibleSamples).toBe(9_000 - 312);
    expect(parse(trimmed).parser.head).toEqual({ channels: 1, preSkip: 312, gain: 0 });
  });

  test("is refused with a reason if it is chained, incomplete, of another codec or has many channels", () => {
    const audio = [plainPacket(50), plainPacket(60)];
    const file = oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 1 });
    const chained = new Uint8Array([...file, ...file]);
    expect(() => parse(chained)).toThrow("more than one stream");
    const pages = [parseOggPage(file, 0)].map((result) => (result.kind === "page" ? result.page.bytes : 0));
    expect(() => parse(file.subarray(pages[0]))).toThrow("first Ogg page is missing");
    const first = file.subarray(0, pages[0]);
    const second = parseOggPage(file, first.length);
    if (second.kind !== "page") throw new Error("no second page");
    const gap = new Uint8Array([...first, ...file.subarray(first.length + second.page.bytes)]);
    expect(() => parse(gap)).toThrow("an Ogg page is missing");
    expect(() => parse(oggFile([new TextEncoder().encode("\x01vorbis 1234567890")]))).toThrow("not Opus");
    expect(() => parse(oggFile([opusHead({ channels: 6, family: 1 })]))).toThrow("more than two channels");
    expect(() => parse(oggFile([opusHead(), plainPacket(40)]))).toThrow("no tags");
    expect(() => parse(oggFile([opusHead(), opusTags(), Uint8Array.of(0xfb)]))).toThrow("not Opus");
  });
});

function packet(config: number, code: number, ...more: number[]): Uint8Array {
  return Uint8Array.of((config << 3) | code, ...more);
}

describe("an Opus packet", () => {
  test("has the duration in its first byte", () => {
    const frames = [480, 960, 1920, 2880];
    for (let config = 0; config < 12; config++) {
      expect(opusPacketSamples(packet(config, 0, 1))).toBe(frames[config & 3]);
    }
    for (let config = 12; config < 16; config++)
      expect(opusPacketSamples(packet(config, 0))).toBe(480 << (config & 1));
    for (let config = 16; config < 32; config++)
      expect(opusPacketSamples(packet(config, 0))).toBe(120 << (config & 3));
    expect(opusPacketSamples(packet(31, 1, 1, 1))).toBe(1920);
    expect(opusPacketSamples(packet(31, 3, 6))).toBe(5760);
  });

  test("without bytes, without frames or above 120 ms is invalid", () => {
    for (const wrong of [new Uint8Array(0), packet(31, 3), packet(31, 3, 0), packet(31, 3, 7)]) {
      expect(opusPacketSamples(wrong)).toBeUndefined();
      expect(isPlainOpusPacket(wrong)).toBe(false);
    }
  });

  test("is plain if it is one mono frame of 20 ms", () => {
    for (const config of [1, 5, 9, 13, 15, 19, 31])
      expect(isPlainOpusPacket(packet(config, 0, 1))).toBe(true);
    for (const config of [0, 2, 3, 12, 14, 16, 30])
      expect(isPlainOpusPacket(packet(config, 0, 1))).toBe(false);
    for (const code of [1, 2, 3, 4]) expect(isPlainOpusPacket(packet(31, code, 1))).toBe(false);
    const [longest, tooLong] = [new Uint8Array(1_276).fill(31 << 3), new Uint8Array(1_277).fill(31 << 3)];
    expect([isPlainOpusPacket(longest), isPlainOpusPacket(tooLong)]).toEqual([true, false]);
    // Two frames of 10 ms are 20 ms, but not one frame.
    expect(isPlainOpusPacket(packet(30, 1, 1, 1))).toBe(false);
  });
});
