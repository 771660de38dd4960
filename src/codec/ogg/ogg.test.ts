import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { maxOggDamageBytes } from "../../base/limits/sounds.ts";
import { oggFile, oggPages, opusHead, opusTags } from "../../testing/fixtures/ogg.ts";
import { OggPages, oggPageHeaderBytes, parseOggPage } from "./ogg.ts";
import { OggOpusError, OggOpusParser, type OpusRun } from "./ogg-opus.ts";
import { isPlainOpusPacket, opusPacketSamples } from "../opus.ts";

const maxOggPageBytes = oggPageHeaderBytes + 255 + 255 * 255;

/** A packet of one mono CELT frame of 20 ms: its first byte, then anything. */
function plainPacket(length: number, fill = 7): Uint8Array {
  const packet = new Uint8Array(length).fill(fill);
  packet[0] = 31 << 3;
  return packet;
}

function text(letters: string): Uint8Array {
  return new TextEncoder().encode(letters);
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** The head of a stereo stream of family 1, with other bytes at some offsets. */
function familyHead(bytes: Record<number, number>): Uint8Array {
  const packet = joined(opusHead({ channels: 2, family: 1 }), Uint8Array.of(1, 1, 0, 1));
  for (const [at, byte] of Object.entries(bytes)) packet[Number(at)] = byte;
  return packet;
}

function fileOf(head: Uint8Array): Uint8Array {
  return oggFile([head, opusTags(), plainPacket(40)]);
}

function packetsIn(runs: OpusRun[]): Uint8Array[] {
  return runs.flatMap((run) => run.packets);
}

function parse(file: Uint8Array, pieceBytes = file.length): { parser: OggOpusParser; packets: Uint8Array[] } {
  const parser = new OggOpusParser();
  const packets: Uint8Array[] = [];
  for (let at = 0; at < file.length; at += Math.max(1, pieceBytes)) {
    packets.push(...packetsIn(parser.push(file.subarray(at, at + Math.max(1, pieceBytes)))));
  }
  packets.push(...packetsIn(parser.end()));
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

  test("with damage anywhere loses that page, and never gives wrong packets", () => {
    const audio = Array.from({ length: 20 }, (_, at) => plainPacket(100 + at, at));
    const file = oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 4 });
    const headBytes = 28 + 19 + 28 + 16;
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const damaged = file.slice();
        damaged[at] = damaged[at]! ^ difference;
        try {
          const { packets } = parse(damaged);
          const lost = audio.findIndex((packet, number) => !Bun.deepEquals(packet, packets[number]));
          // The tags are not audio, and a page has four packets.
          if (lost < 0) expect(at).toBeLessThan(headBytes);
          else expect([...audio.slice(0, lost), ...audio.slice(lost + 4)]).toEqual(packets);
        } catch (error) {
          expect(error).toBeInstanceOf(OggOpusError);
          expect(at).toBeLessThan(headBytes);
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
    expect(parse(trimmed).parser.links[0]!.head).toMatchObject({ channels: 1, preSkip: 312, gain: 0 });
  });

  test("is played from any granule on, and through gaps in them", () => {
    const audio = Array.from({ length: 10 }, () => plainPacket(50));
    const hour = 3_600n * 48_000n;
    const file = oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 4, firstGranule: hour });
    expect(parse(file).parser.audibleSamples).toBe(9_600);
    const trimmed = { segmentsPerPage: 4, firstGranule: hour, endGranule: hour + 9_000n };
    expect(parse(oggFile([opusHead(), opusTags(), ...audio], trimmed)).parser.audibleSamples).toBe(9_000);
  });

  test("ignores a last granule that would trim more than the last page", () => {
    const audio = Array.from({ length: 10 }, () => plainPacket(50));
    for (const endGranule of [0n, 1n, 5_000n]) {
      const file = oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 4, endGranule });
      expect(parse(file).parser.audibleSamples).toBe(9_600);
    }
  });

  test("may be chained, with a head of its own for each link", () => {
    const audio = [plainPacket(50), plainPacket(60)];
    const first = oggFile([opusHead({ preSkip: 100 }), opusTags(), ...audio], { serial: 1 });
    for (const serial of [1, 2]) {
      const second = oggFile([opusHead({ preSkip: 200, gain: 5 }), opusTags(), ...audio], { serial });
      const { parser, packets } = parse(new Uint8Array([...first, ...second]), 50);
      expect(packets).toEqual([...audio, ...audio]);
      expect(parser.links.map(({ head }) => head.preSkip)).toEqual([100, 200]);
      expect(parser.audibleSamples).toBe(2 * 1_920 - 300);
    }
  });

  test("may be multiplexed with streams of other codecs, and with other Opus", () => {
    const audio = Array.from({ length: 8 }, (_, at) => plainPacket(50 + at));
    const other = Array.from({ length: 8 }, (_, at) => plainPacket(80 + at));
    for (const head of [text("\x80theora 1234567890123"), text("fishead\0"), opusHead()]) {
      const streams = [
        oggPages(oggFile([head, opusTags(), ...other], { segmentsPerPage: 2, serial: 7 })),
        oggPages(oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 2, serial: 8 })),
      ];
      const file = joined(...streams[0]!.flatMap((page, at) => [page, streams[1]![at]!]));
      const { packets } = parse(file);
      expect(packets).toEqual(head.length === 19 ? other : audio);
    }
  });

  test("may have any bytes in front, between its pages and behind them", () => {
    const audio = Array.from({ length: 12 }, (_, at) => plainPacket(40 + at));
    const pages = oggPages(oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 3 }));
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constant(text("OggS OggOggS")),
      fc.constant(new Uint8Array(512)),
    );
    fc.assert(
      fc.property(
        fc.array(junk, { minLength: 7, maxLength: 7 }),
        fc.integer({ min: 1, max: 400 }),
        (fill, piece) => {
          const file = joined(fill[0]!, ...pages.flatMap((page, at) => [page, fill[at + 1]!]));
          expect(parse(file, piece).packets).toEqual(audio);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("loses the packets of a missing page, and the parts of packets on others", () => {
    const audio = Array.from({ length: 6 }, (_, at) => plainPacket(400, at));
    // A packet has two segments, so that each page of three segments ends inside a packet or begins in one.
    const pages = oggPages(oggFile([opusHead(), opusTags(), ...audio], { segmentsPerPage: 3 }));
    expect(pages.length).toBe(6);
    const kept = [0, 2, 3, 4, 5].map((number) => pages[number]!);
    expect(parse(joined(...kept)).packets).toEqual(audio);
    const gap = [0, 1, 2, 4, 5].map((number) => pages[number]!);
    expect(parse(joined(...gap)).packets).toEqual([audio[0]!, ...audio.slice(3)]);
  });

  test("may end with an empty packet on a page of its own, as VLC writes it, and skips what is not Opus", () => {
    const audio = [plainPacket(50), plainPacket(60)];
    const packets = [...audio, Uint8Array.of(0xfb), new Uint8Array(0)];
    const { parser, packets: found } = parse(
      oggFile([opusHead(), opusTags(), ...packets], { segmentsPerPage: 1 }),
    );
    expect(found).toEqual(audio);
    expect(parser.audibleSamples).toBe(1_920);
  });

  test("ends where a file of nothing but broken pages would cost time without end", () => {
    const bogus = oggFile([opusHead(), new Uint8Array(60_000)], {}).slice(47);
    bogus[100] = 1;
    const pages = new OggPages();
    for (let count = 0; count < 2 * (maxOggDamageBytes / bogus.length); count++) pages.push(bogus);
    expect(pages.isHopeless).toBe(true);
    expect(pages.push(oggFile([opusHead()]))).toEqual([]);
  });

  test("is refused with a reason if it is of another codec or has an unknown channel mapping", () => {
    const vorbis = text("\x01vorbis 1234567890");
    expect(() => parse(fileOf(vorbis))).toThrow("not Opus");
    expect(() => parse(fileOf(familyHead({ 18: 3 })))).toThrow("channel mapping 3");
    expect(() => parse(fileOf(familyHead({ 8: 16 })))).toThrow("unknown version");
    expect(() => parse(fileOf(familyHead({ 9: 0 })))).toThrow("0 channels");
    expect(() => parse(fileOf(familyHead({ 9: 8 })))).toThrow("invalid");
    expect(() => parse(fileOf(familyHead({ 20: 2 })))).toThrow("invalid");
    expect(() => parse(fileOf(familyHead({ 22: 2 })))).toThrow("invalid");
    expect(() => parse(fileOf(opusHead({ channels: 3 })))).toThrow("invalid");
    expect(() => parse(new Uint8Array(100))).toThrow("missing or damaged");
    const { parser } = parse(fileOf(familyHead({ 22: 255 })));
    expect(parser.links[0]!.head).toMatchObject({
      channels: 2,
      streams: 1,
      coupledStreams: 1,
      mapping: [0, 255],
    });
  });

  test("keeps no more of a packet than Opus needs", () => {
    const file = oggFile([opusHead(), opusTags(1_000_000), plainPacket(40)]);
    expect(parse(file).packets).toEqual([plainPacket(40)]);
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
