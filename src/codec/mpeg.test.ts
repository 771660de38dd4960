import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { id3Tag } from "../testing/fixtures/riff.ts";
import {
  findMpegFrames,
  isFreeFormat,
  MpegDuration,
  type MpegFrame,
  MpegFrames,
  parseMpegHeader,
} from "./mpeg.ts";

const data = join(import.meta.dir, "../../data");
const music = new Uint8Array(readFileSync(join(data, "samples/music-44k-stereo.mp3")));
const concatenated = new Uint8Array(readFileSync(join(data, "cases/mp3-concat-rate.mp3")));
const free = new Uint8Array(readFileSync(join(data, "cases/mp3-free.mp3")));

function framesOf(bytes: Uint8Array, pieceBytes = bytes.length): MpegFrame[] {
  const parser = new MpegFrames();
  const frames: MpegFrame[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    frames.push(...parser.push(bytes.subarray(at, at + pieceBytes)));
  }
  return [...frames, ...parser.end()];
}

function secondsOf(bytes: Uint8Array): number {
  const duration = new MpegDuration();
  duration.add(framesOf(bytes));
  return duration.seconds;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function bytesOf(frames: MpegFrame[]): Uint8Array {
  return joined(...frames.map(({ bytes }) => bytes));
}

describe("the header of an MPEG frame", () => {
  test.each([
    [[0xff, 0xfb, 0x90, 0x64], { sampleRate: 44_100, channels: 2, samples: 1_152, bytes: 417 }],
    [[0xff, 0xfb, 0x92, 0xc4], { sampleRate: 44_100, channels: 1, samples: 1_152, bytes: 418 }],
    [[0xff, 0xf3, 0x40, 0xc4], { sampleRate: 22_050, channels: 1, samples: 576, bytes: 104 }],
    [[0xff, 0xe3, 0x48, 0xc4], { sampleRate: 8_000, channels: 1, samples: 576, bytes: 288 }],
    [[0xff, 0xfd, 0xa4, 0x00], { sampleRate: 48_000, channels: 2, samples: 1_152, bytes: 576, layer: 2 }],
    [[0xff, 0xfb, 0x00, 0x00], { bytes: 0 }],
  ])("%j", (bytes, header) => {
    expect(parseMpegHeader(Uint8Array.from(bytes), 0)).toMatchObject(header);
  });
});

describe("the frames of a file", () => {
  test("are found, with the tag of the encoder, however the bytes are split", () => {
    const whole = framesOf(music);
    expect(whole.length).toBe(309);
    expect(whole.map(({ tag }) => tag).filter((tag) => tag !== undefined)).toEqual([
      { delay: 576, padding: 1_440 },
    ]);
    expect(whole.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeWithin(
      music.length - 200,
      music.length,
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (pieceBytes) => {
        expect(bytesOf(framesOf(music, pieceBytes))).toEqual(bytesOf(whole));
      }),
      { numRuns: 20 },
    );
  });

  test("are found again behind any damage", () => {
    const frames = framesOf(music).slice(1, 40);
    const bytes = joined(...frames.map((frame) => frame.bytes));
    const at = frames.slice(0, 20).reduce((sum, frame) => sum + frame.bytes.length, 0);
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 3_000 }),
      fc.nat(3_000).map((length) => new Uint8Array(length).fill(0xff)),
      fc.nat(30_000).map(id3Tag),
    );
    fc.assert(
      fc.property(junk, fc.integer({ min: 50, max: 5_000 }), (between, pieceBytes) => {
        const damaged = joined(bytes.subarray(0, at), between, bytes.subarray(at));
        expect(framesOf(damaged, pieceBytes).length).toBeWithin(frames.length - 1, frames.length + 2);
      }),
      { numRuns: 50 },
    );
  });

  test("are not found in zeros, ones, letters or raw audio", () => {
    const wav = new Uint8Array(readFileSync(join(data, "samples/music-44k-stereo.wav")));
    for (const bytes of [new Uint8Array(50_000), new Uint8Array(50_000).fill(0xff), wav]) {
      expect([framesOf(bytes, 8_192).length, findMpegFrames(bytes, 3), isFreeFormat(bytes)]).toEqual([
        0,
        -1,
        false,
      ]);
    }
  });

  test("add up to the duration, whatever the tags say", () => {
    expect(secondsOf(music)).toBeCloseTo(8, 9);
    expect(secondsOf(concatenated)).toBeCloseTo(51 * (1_152 / 44_100) + 52 * (576 / 22_050), 9);
  });

  test("of free format are recognised, and those with a bit rate are not taken for it", () => {
    expect(isFreeFormat(free)).toBe(true);
    expect(isFreeFormat(music)).toBe(false);
  });

  test("parsing any bytes never throws", () => {
    const start = fc.constantFrom(
      [0xff, 0xfb, 0x90, 0x64],
      [0xff, 0xf3, 0x10, 0xc0],
      [0x49, 0x44, 0x33, 3, 0],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(start, fc.array(fc.nat(255), { maxLength: 90 }))), (parts) => {
        const bytes = Uint8Array.from(parts.flat());
        for (const frame of framesOf(bytes, 33)) expect(frame.bytes.length).toBe(frame.header.bytes);
      }),
    );
  });
});
