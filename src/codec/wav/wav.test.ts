import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { maxWavHeadChunks, maxWavSkippedBytes } from "../../base/limits/sounds.ts";
import { convertToPcm16, decodeWavFrames, pcmSampleBytes } from "./samples.ts";
import type { PcmEncoding, WavEncoding } from "./format.ts";
import { encodeWavHeader, parseWavHead, type WavFormat, WavHeadParser } from "./wav.ts";

const samples = new URL("../../../data/samples/", import.meta.url);

function u16(value: number): number[] {
  return [value & 0xff, value >> 8];
}

function u32(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function u64(value: number): number[] {
  return [...u32(value), ...u32(0)];
}

function text(characters: string): number[] {
  return Array.from(characters, (character) => character.charCodeAt(0));
}

/** A chunk with its pad byte. */
function chunk(id: string, bytes: number[], size = bytes.length): number[] {
  return [...text(id), ...u32(size), ...bytes, ...(bytes.length % 2 === 1 ? [0] : [])];
}

function emptyChunks(count: number): number[][] {
  return Array.from({ length: count }, () => chunk("JUNK", []));
}

function fmt(tag: number, channels: number, bits: number, extra: number[] = []): number[] {
  const block = (channels * bits) / 8;
  const fields = [
    ...u16(tag),
    ...u16(channels),
    ...u32(8000),
    ...u32(8000 * block),
    ...u16(block),
    ...u16(bits),
  ];
  return chunk("fmt ", [...fields, ...extra]);
}

/** The rest of an extensible format whose sub-format is `tag`. */
function extension(
  tag: number,
  tail = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71],
): number[] {
  return [...u16(22), ...u16(20), ...u32(3), ...u16(tag), ...tail];
}

function riff(chunks: number[][], size?: number): Uint8Array {
  const body = chunks.flat();
  return Uint8Array.from([...text("RIFF"), ...u32(size ?? body.length + 4), ...text("WAVE"), ...body]);
}

function formatOf(file: Uint8Array, fileBytes: number | undefined = file.length): WavFormat {
  const head = parseWavHead(file, fileBytes);
  if (head.kind !== "format") throw new Error(`not a format: ${JSON.stringify(head)}`);
  return head.format;
}

function refusalOf(file: Uint8Array): string {
  const head = parseWavHead(file, file.length);
  return head.kind === "refused" ? head.reason : head.kind;
}

describe("the header of a WAV file", () => {
  test("of the sample files of the project is parsed", async () => {
    const speech = await Bun.file(new URL("speech-16k-mono.wav", samples)).bytes();
    expect(formatOf(speech)).toEqual({
      sampleRate: 16000,
      channels: 1,
      encoding: "s16",
      frameBytes: 2,
      dataAt: 44,
      dataBytes: speech.length - 44,
    });
    const music = await Bun.file(new URL("music-44k-stereo.wav", samples)).bytes();
    expect(formatOf(music)).toMatchObject({ sampleRate: 44100, channels: 2, dataBytes: 44100 * 8 * 4 });
  });

  test("may hold other chunks before the format and the audio, of odd sizes with a pad byte", () => {
    const list = chunk("LIST", text("INFOx"));
    const file = riff([list, fmt(1, 1, 16), chunk("junk", [1, 2, 3]), chunk("data", [1, 2, 3, 4]), list]);
    const format = formatOf(file);
    expect(format).toMatchObject({ encoding: "s16", dataBytes: 4 });
    expect(file.slice(format.dataAt, format.dataAt + 4)).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  test("may be extensible, with integers or floats inside", () => {
    const data = chunk("data", Array<number>(24).fill(0));
    expect(formatOf(riff([fmt(0xfffe, 2, 24, extension(1)), data]))).toMatchObject({
      encoding: "s24",
      channels: 2,
    });
    expect(formatOf(riff([fmt(0xfffe, 2, 32, extension(3)), data]))).toMatchObject({ encoding: "f32" });
    expect(refusalOf(riff([fmt(0xfffe, 2, 16, extension(0x11)), data]))).toContain("IMA ADPCM");
    expect(formatOf(riff([fmt(0xfffe, 2, 8, extension(7)), data]))).toMatchObject({ encoding: "mulaw" });
    expect(refusalOf(riff([fmt(0xfffe, 2, 16, extension(1, Array<number>(14).fill(1))), data]))).toContain(
      "0xfffe",
    );
    expect(refusalOf(riff([fmt(0xfffe, 2, 16), data]))).toContain("0xfffe");
    expect(refusalOf(riff([fmt(0xfffe, 2, 16)]))).toContain("0xfffe");
  });

  const encodings: [number, number, WavEncoding][] = [
    [1, 8, "u8"],
    [1, 16, "s16"],
    [1, 24, "s24"],
    [1, 32, "s32"],
    [3, 32, "f32"],
    [3, 64, "f64"],
  ];
  for (const [tag, bits, encoding] of encodings) {
    test(`of tag ${tag} with ${bits} bits means ${encoding}`, () => {
      const file = riff([fmt(tag, 3, bits), chunk("data", Array<number>(72).fill(0))]);
      expect(formatOf(file)).toMatchObject({ encoding, frameBytes: (3 * bits) / 8, dataBytes: 72 });
    });
  }

  test("asks for exactly the bytes that parsing needs", () => {
    const file = riff([
      chunk("LIST", Array<number>(1001).fill(0)),
      fmt(1, 1, 16, u16(0)),
      chunk("data", [1, 2]),
    ]);
    let bytes = 0;
    const asked: number[] = [];
    for (;;) {
      const head = parseWavHead(file.slice(0, bytes));
      if (head.kind !== "more") {
        expect(head.kind).toBe("format");
        break;
      }
      expect(head.at + head.bytes).toBeGreaterThan(bytes);
      bytes = head.at + head.bytes;
      asked.push(bytes);
    }
    expect(asked).toEqual([12, 20, 12 + 8 + 1002 + 8, 12 + 8 + 1002 + 8 + 18, 12 + 8 + 1002 + 8 + 18 + 8]);
  });
});

describe("the size of the audio", () => {
  const plain = fmt(1, 2, 16);
  const audio = [1, 2, 3, 4, 5, 6, 7, 8];

  test("ends with the file if the data chunk is truncated, in whole sample frames", () => {
    expect(formatOf(riff([plain, chunk("data", [...audio, 9, 10], 4000)])).dataBytes).toBe(8);
  });

  test("is the rest of the file if it was never filled in", () => {
    for (const size of [0, 0xffffffff]) {
      for (const riffSize of [0, 36, 0xffffffff]) {
        if (size === 0 && riffSize === 0xffffffff) continue;
        expect(formatOf(riff([plain, chunk("data", audio, size)], riffSize)).dataBytes).toBe(8);
      }
    }
  });

  test("is unknown in a pipe if it was never filled in", () => {
    for (const size of [0, 0xffffffff]) {
      const head = parseWavHead(riff([plain, chunk("data", audio, size)], 36));
      expect(head).toMatchObject({ kind: "format", format: { dataBytes: undefined, dataAt: 44 } });
    }
  });

  test("is known in a pipe if it was filled in", () => {
    expect(parseWavHead(riff([plain, chunk("data", audio)]))).toMatchObject({ format: { dataBytes: 8 } });
  });

  test("is 0 if the file says so and no audio follows", () => {
    expect(formatOf(riff([plain, chunk("data", [])])).dataBytes).toBe(0);
    expect(formatOf(riff([plain, chunk("data", []), chunk("LIST", audio)])).dataBytes).toBe(0);
  });
});

describe("a WAV file is refused", () => {
  const data = chunk("data", [0, 0]);
  const cases: [string, Uint8Array, string][] = [
    ["when it is something else", Uint8Array.from(text("fLaC....WAVEfmt ")), "not a WAV file"],
    ["when it is another RIFF", Uint8Array.from(text("RIFF....AVI LIST")), "not a WAV file"],
    ["when it is empty", new Uint8Array(0), "ends before its audio"],
    ["when it has no audio", riff([fmt(1, 1, 16)]), "ends before its audio"],
    ["when it ends inside its format", riff([fmt(1, 1, 16)]).slice(0, 30), "ends before its audio"],
    ["when its audio comes before its format", riff([data, fmt(1, 1, 16)]), "audio before its format"],
    ["when its format is too short", riff([chunk("fmt ", Array<number>(14).fill(1)), data]), "cut off"],
    ["when it is Microsoft ADPCM without blocks", riff([fmt(2, 1, 4), data]), "Microsoft ADPCM"],
    ["when it is IMA ADPCM of 3 bits", riff([fmt(0x11, 1, 3), data]), "IMA ADPCM of 3 bits"],
    ["when it is GSM", riff([fmt(0x31, 1, 0), data]), "GSM"],
    ["when its format is unknown", riff([fmt(0x1234, 1, 16), data]), "format 0x1234"],
    ["when its integers have no bits", riff([fmt(1, 2, 0), data]), "integers of 0 bits"],
    ["when its integers have 72 bits", riff([fmt(1, 2, 72), data]), "integers of 72 bits"],
    ["when its floats have 16 bits", riff([fmt(3, 1, 16), data]), "floats of 16 bits"],
    ["when it has no channels", riff([fmt(1, 0, 16), data]), "0 channels"],
    ["when it has too many channels", riff([fmt(1, 33, 16), data]), "33 channels"],
  ];
  for (const [name, file, reason] of cases) {
    test(name, () => expect(refusalOf(file)).toContain(reason));
  }

  test("when its sample rate is 0", () => {
    const file = riff([fmt(1, 1, 16), data]);
    file.fill(0, 24, 28);
    expect(refusalOf(file)).toContain("sample rate of 0");
  });

  test("when its audio begins too late", () => {
    const file = riff([chunk("LIST", [], maxWavSkippedBytes + 1), fmt(1, 1, 16), data]);
    expect(parseWavHead(file)).toMatchObject({ kind: "refused" });
  });

  test("when its audio comes after too many chunks, and not before", () => {
    expect(refusalOf(riff([...emptyChunks(maxWavHeadChunks), fmt(1, 1, 16), data]))).toContain(
      "too many chunks",
    );
    expect(formatOf(riff([...emptyChunks(maxWavHeadChunks - 2), fmt(1, 1, 16), data])).dataBytes).toBe(2);
  });
});

/** A format chunk with the given fields, whether they fit each other or not. */
function badFmt(tag: number, channels: number, bits: number, blockBytes: number, byteRate: number): number[] {
  return chunk("fmt ", [
    ...u16(tag),
    ...u16(channels),
    ...u32(8000),
    ...u32(byteRate),
    ...u16(blockBytes),
    ...u16(bits),
  ]);
}

describe("the size of a sample", () => {
  const cases: [string, number, number, number, WavEncoding][] = [
    ["12 bits fill 16", 2, 12, 4, "s16"],
    ["12 bits in 32", 1, 12, 4, "s32"],
    ["20 bits fill 24", 2, 20, 6, "s24"],
    ["20 bits in 32", 2, 20, 8, "s32"],
    ["24 bits in 32", 2, 24, 8, "s32"],
    ["33 bits in 40", 1, 33, 5, "s40"],
    ["33 bits in 64", 1, 33, 8, "s64"],
    ["4 bits in 8", 1, 4, 1, "u8"],
    ["16 bits with a block of 0", 2, 16, 0, "s16"],
    ["16 bits with the block of mono", 2, 16, 2, "s16"],
    ["16 bits with a block that is too long", 2, 16, 8, "s16"],
    ["12 bits with a block of 0", 2, 12, 0, "s16"],
    ["24 bits with a block that is no multiple of the channels", 2, 24, 7, "s24"],
  ];
  test.each(cases)("%s: %d channels, %d bits, %d bytes", (_, channels, bits, blockBytes, encoding) => {
    const file = riff([
      badFmt(1, channels, bits, blockBytes, 8000 * blockBytes),
      chunk("data", [1, 2, 3, 4]),
    ]);
    const frameBytes = channels * pcmSampleBytes(encoding as PcmEncoding);
    expect(formatOf(file)).toMatchObject({ encoding, frameBytes });
  });
});

describe("a WAV file may be", () => {
  const audio = chunk("data", [1, 2, 3, 4], 0xffffffff);
  const ds64 = (dataBytes: number, riffBytes = 1000) =>
    chunk("ds64", [...u64(riffBytes), ...u64(dataBytes), ...u64(2), ...u32(0)]);

  test.each(["RF64", "BW64"])("%s, with its sizes in a chunk of their own", (magic) => {
    const file = riff([ds64(2), fmt(1, 1, 16), audio], 0xffffffff);
    file.set(text(magic));
    expect(formatOf(file).dataBytes).toBe(2);
    expect(parseWavHead(file)).toMatchObject({ kind: "format", format: { dataBytes: 2 } });
  });

  test("RF64 whose sizes were never filled in", () => {
    for (const chunks of [
      [ds64(0, 0), fmt(1, 1, 16), audio],
      [fmt(1, 1, 16), audio],
    ]) {
      const file = riff(chunks, 0xffffffff);
      file.set(text("RF64"));
      expect(formatOf(file).dataBytes).toBe(4);
    }
  });

  test("RIFX, which is big-endian", () => {
    const numbers = [
      ...u32(16).toReversed(),
      0,
      1,
      0,
      2,
      ...u32(8000).toReversed(),
      ...u32(32000).toReversed(),
    ];
    const file = Uint8Array.from([
      ...text("RIFX"),
      ...u32(40).toReversed(),
      ...text("WAVEfmt "),
      ...numbers,
      0,
      4,
      0,
      16,
      ...text("data"),
      ...u32(4).toReversed(),
      0x12,
      0x34,
      0xff,
      0xfe,
    ]);
    const format = formatOf(file);
    expect(format).toMatchObject({ encoding: "s16be", channels: 2, sampleRate: 8000, dataBytes: 4 });
    expect([...decodeWavFrames(file.subarray(format.dataAt), format)]).toEqual([0x1234, -2]);
  });

  test("of MPEG audio, which has frames of its own", () => {
    for (const tag of [0x50, 0x55]) {
      const file = riff([fmt(tag, 0, 0), chunk("data", [1, 2, 3])]);
      expect(parseWavHead(file, file.length)).toEqual({ kind: "mpeg", dataAt: 44, dataBytes: 3 });
    }
  });

  test("behind ID3 tags", () => {
    const tag = [...text("ID3"), 3, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5];
    const file = Uint8Array.from([...tag, ...tag, ...riff([fmt(1, 1, 16), chunk("data", [1, 2])])]);
    expect(formatOf(file)).toMatchObject({ dataAt: 44 + 2 * tag.length, dataBytes: 2 });
  });

  test("without an end in a pipe, with the sizes of programs that cannot know it", () => {
    for (const size of [0x7ffff000, 0x7fffffff, 0x80000000, 0xfffffff0]) {
      expect(parseWavHead(riff([fmt(1, 1, 16), chunk("data", [1, 2], size)]))).toMatchObject({
        kind: "format",
        format: { dataBytes: undefined },
      });
    }
  });
});

test("the head of a WAV file is parsed without reading the chunks that are skipped", () => {
  const file = riff([chunk("JUNK", Array<number>(70_001).fill(7)), fmt(1, 1, 16), chunk("data", [1, 2])]);
  const parser = new WavHeadParser(file.length);
  let [at, bytes, read] = [0, 1_000, 0];
  for (;;) {
    const head = parser.parse(file.subarray(at, at + bytes), at);
    read += bytes;
    if (head.kind === "format") break;
    if (head.kind !== "more") throw new Error(head.kind);
    [at, bytes] = [head.at, head.bytes];
  }
  expect(read).toBeLessThan(1_100);
});

test("parsing any bytes returns a result and never throws", () => {
  const starts = [
    riff([]),
    riff([fmt(1, 1, 16)]),
    riff([fmt(0xfffe, 2, 24, extension(1))]),
    new Uint8Array(0),
  ];
  const ids = fc.constantFrom("data", "fmt ", "LIST", "xxxx").map((id) => Uint8Array.from(text(id)));
  const rest = fc.array(fc.oneof(ids, fc.uint8Array({ maxLength: 20 })), { maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...starts), rest, fc.boolean(), (start, parts, isWhole) => {
      const file = Uint8Array.from([...start, ...parts.flatMap((part) => [...part])]);
      const head = parseWavHead(file, isWhole ? file.length : undefined);
      if (head.kind === "more") expect(isWhole).toBe(false);
      if (head.kind === "more") expect(head.at + head.bytes).toBeGreaterThan(file.length);
      if (head.kind !== "format") return;
      const { frameBytes, dataAt, dataBytes, encoding, channels } = head.format;
      if (encoding !== "ima-adpcm") expect((dataBytes ?? 0) % frameBytes).toBe(0);
      if (!isWhole || dataBytes === undefined) return;
      const pcm = decodeWavFrames(file.subarray(dataAt, dataAt + dataBytes), head.format);
      expect(pcm.length % channels).toBe(0);
    }),
    { numRuns: 1000 },
  );
});

describe("a written WAV file", () => {
  test("survives a round trip with any rate, channels and samples", () => {
    const pcm = fc.int16Array({ maxLength: 200, size: "max" });
    const rates = fc.integer({ min: 1, max: 192000 });
    fc.assert(
      fc.property(pcm, rates, fc.integer({ min: 1, max: 8 }), (pcm, sampleRate, channels) => {
        const whole = pcm.slice(0, pcm.length - (pcm.length % channels));
        const bytes = new Uint8Array(whole.buffer, whole.byteOffset, whole.byteLength);
        const file = Uint8Array.from([...encodeWavHeader(sampleRate, channels, bytes.length), ...bytes]);
        const format = formatOf(file);
        expect(format).toEqual({
          sampleRate,
          channels,
          encoding: "s16",
          frameBytes: channels * 2,
          dataAt: 44,
          dataBytes: bytes.length,
        });
        const out = new Int16Array(whole.length);
        convertToPcm16(file, 44, whole.length, "s16", out, 0);
        expect(out).toEqual(whole);
      }),
    );
  });

  test("has the same header as files of other programs", async () => {
    const speech = await Bun.file(new URL("speech-16k-mono.wav", samples)).bytes();
    const music = await Bun.file(new URL("music-44k-stereo.wav", samples)).bytes();
    expect(encodeWavHeader(16000, 1, speech.length - 44)).toEqual(speech.slice(0, 44));
    expect(encodeWavHeader(44100, 2, music.length - 44)).toEqual(music.slice(0, 44));
  });

  test("has no sizes if its end is unknown or beyond the limit of the format", () => {
    for (const dataBytes of [undefined, 0xffffffff - 35, 2 ** 40]) {
      const header = new DataView(encodeWavHeader(48000, 2, dataBytes).buffer);
      expect([header.getUint32(4, true), header.getUint32(40, true)]).toEqual([0xffffffff, 0xffffffff]);
    }
    const largest = new DataView(encodeWavHeader(48000, 2, 0xffffffff - 36).buffer);
    expect([largest.getUint32(4, true), largest.getUint32(40, true)]).toEqual([0xffffffff, 0xffffffff - 36]);
  });
});

/** Converts values of one encoding, written by a DataView, with other bytes before them. */
function convert(encoding: "u8" | "s16" | "s24" | "s32" | "f32" | "f64", values: number[]): number[] {
  const view = new DataView(new ArrayBuffer(8 * values.length + 1));
  const writers: Record<typeof encoding, (at: number, value: number) => number> = {
    u8: (at, value) => (view.setUint8(at, value), 1),
    s16: (at, value) => (view.setInt16(at, value, true), 2),
    s24: (at, value) => (view.setUint16(at, value & 0xffff, true), view.setInt8(at + 2, value >> 16), 3),
    s32: (at, value) => (view.setInt32(at, value, true), 4),
    f32: (at, value) => (view.setFloat32(at, value, true), 4),
    f64: (at, value) => (view.setFloat64(at, value, true), 8),
  };
  let at = 1;
  for (const value of values) at += writers[encoding](at, value);
  const out = new Int16Array(values.length + 2).fill(77);
  convertToPcm16(new Uint8Array(view.buffer, 1, at - 1), 0, values.length, encoding, out, 1);
  expect([out[0], out[values.length + 1]]).toEqual([77, 77]);
  return Array.from(out.slice(1, values.length + 1));
}

function convertLaw(encoding: "alaw" | "mulaw", codes: number[]): number[] {
  const out = new Int16Array(codes.length);
  convertToPcm16(Uint8Array.from(codes), 0, codes.length, encoding, out, 0);
  return [...out];
}

describe("samples become PCM16:", () => {
  test("8 bits around 128", () =>
    expect(convert("u8", [0, 1, 128, 255])).toEqual([-32768, -32512, 0, 32512]));

  test("16 bits as they are", () =>
    expect(convert("s16", [-32768, -1, 0, 32767])).toEqual([-32768, -1, 0, 32767]));

  test("24 bits to the nearest, halves up, clipped", () => {
    expect(convert("s24", [0x7fffff, 0x7fff80, 0x7fff7f, 384, 383, 128, 127, -128, -129, -0x800000])).toEqual(
      [32767, 32767, 32767, 2, 1, 1, 0, 0, -1, -32768],
    );
  });

  test("32 bits to the nearest, halves up, clipped", () => {
    expect(
      convert("s32", [0x7fffffff, 0x7fff7fff, 98304, 98303, 32768, 32767, -32768, -32769, -(2 ** 31)]),
    ).toEqual([32767, 32767, 2, 1, 1, 0, 0, -1, -32768]);
  });

  for (const encoding of ["f32", "f64"] as const) {
    test(`${encoding} with 1.0 as 32768, to the nearest, clipped, and 0 for what is no number`, () => {
      expect(convert(encoding, [0, 1, -1, 0.5, 1.5 / 32768, -1.5 / 32768, 0.25 / 32768, 3, -3])).toEqual([
        0, 32767, -32768, 16384, 2, -1, 0, 32767, -32768,
      ]);
      expect(convert(encoding, [Number.NaN, Infinity, -Infinity])).toEqual([0, 32767, -32768]);
    });
  }

  test("integers of 24 and 32 bits agree with the formula everywhere", () => {
    for (const [encoding, bits] of [
      ["s24", 24],
      ["s32", 32],
    ] as const) {
      const half = 2 ** (bits - 1);
      fc.assert(
        fc.property(fc.array(fc.integer({ min: -half, max: half - 1 })), (values) => {
          const expected = values.map((value) => Math.min(32767, Math.floor(value / 2 ** (bits - 16) + 0.5)));
          expect(convert(encoding, values)).toEqual(expected);
        }),
      );
    }
  });

  test("big-endian ones like little-endian ones", () => {
    const encodings = ["s16", "s24", "s32", "s40", "s48", "s56", "s64", "f32", "f64"] as const;
    fc.assert(
      fc.property(
        fc.constantFrom(...encodings),
        fc.uint8Array({ minLength: 8, maxLength: 64 }),
        (encoding, bytes) => {
          const size = pcmSampleBytes(encoding);
          const samples = Math.floor(bytes.length / size);
          const swapped = bytes.slice();
          for (let at = 0; at + size <= swapped.length; at += size) swapped.subarray(at, at + size).reverse();
          const [little, big] = [new Int16Array(samples), new Int16Array(samples)];
          convertToPcm16(bytes, 0, samples, encoding, little, 0);
          convertToPcm16(swapped, 0, samples, `${encoding}be`, big, 0);
          expect(big).toEqual(little);
        },
      ),
    );
  });

  test("integers of 40 bits and more by their highest bytes", () => {
    const out = new Int16Array(2);
    convertToPcm16(Uint8Array.of(1, 2, 0x7f, 0x34, 0x12, 9, 9, 0x80, 0xff, 0xff), 0, 2, "s40", out, 0);
    expect([...out]).toEqual([0x1234, 0]);
  });

  test("A-law and mu-law by the tables of G.711", () => {
    expect(convertLaw("alaw", [0xd5, 0x55, 0xaa, 0x2a, 0xc5])).toEqual([8, -8, 32256, -32256, 264]);
    expect(convertLaw("mulaw", [0xff, 0x7f, 0x80, 0x00, 0xef])).toEqual([0, 0, 32124, -32124, 132]);
  });

  test("and buffers that are too small are refused", () => {
    expect(() => convertToPcm16(new Uint8Array(5), 0, 3, "s16", new Int16Array(3), 0)).toThrow(RangeError);
    expect(() => convertToPcm16(new Uint8Array(6), 0, 3, "s16", new Int16Array(3), 1)).toThrow(RangeError);
  });
});
