import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { handshakeOfTrack, heardIn, messagesOf, trackOf } from "../../testing/fixtures/ingest.ts";
import { failureOf } from "../../testing/fixtures/client.ts";
import { melody, roughness, signalToNoise, wavFile } from "../../testing/fixtures/wav.ts";
import { coderOfHeader, AdpcmDecoder } from "../../codec/ima-adpcm.ts";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { FileTrack } from "./file-track.ts";
import { ingestFormat } from "./format.ts";
import { bytesIn, samplesIn } from "./track.ts";
import { bytesSource, type AudioSource } from "../audio-source.ts";
import { WavSource } from "./wav-source.ts";

const anyAudio = fc.record({
  samples: fc.integer({ min: 0, max: 700 }),
  channels: fc.integer({ min: 1, max: 5 }),
  frameMs: fc.integer({ min: 1, max: 30 }),
  blockBytes: fc.integer({ min: 1, max: 4000 }),
  cacheBytes: fc.integer({ min: 0, max: 4000 }),
});

describe("the frames of a file", () => {
  test("hold exactly its samples in PCM, for any number and frame length", async () => {
    await fc.assert(
      fc.asyncProperty(anyAudio, async ({ samples, channels, frameMs, ...limits }) => {
        const pcm = roughness(samples * channels);
        const track = await trackOf(pcm, channels, { frameMs }, limits);
        const messages = await messagesOf(track);
        expect(heardIn(messages, handshakeOfTrack(track))).toEqual(pcm);
        expect(messages.length).toBe(Math.ceil(samples / track.format.frameSamples));
        expect(samplesIn(track, messages.length)).toBe(samples);
        expect(bytesIn(track, messages.length)).toBe(messages.reduce((sum, each) => sum + each.length, 0));
      }),
    );
  });

  test("hold its samples in ADPCM, padded to a whole byte or word at most", async () => {
    await fc.assert(
      fc.asyncProperty(anyAudio, async ({ samples, channels, frameMs, ...limits }) => {
        const track = await trackOf(melody(samples, channels), channels, { codec: "adpcm", frameMs }, limits);
        const heard = heardIn(await messagesOf(track), handshakeOfTrack(track)).length / channels;
        const unit = channels === 1 ? 2 : 8;
        expect(heard).toBe(Math.ceil(samples / unit) * unit);
      }),
    );
  });

  for (const channels of [1, 2, 6]) {
    for (const nibbles of ["low", "high"] as const) {
      test(`sound like the file in ADPCM with ${channels} channels, ${nibbles} nibble first`, async () => {
        const pcm = melody(8_003, channels);
        const track = await trackOf(pcm, channels, { codec: "adpcm", nibbles }, { blockBytes: 7_000 });
        const messages = await messagesOf(track);
        const right = signalToNoise(pcm, heardIn(messages, handshakeOfTrack(track), nibbles));
        const other = nibbles === "low" ? "high" : "low";
        const wrong = signalToNoise(pcm, heardIn(messages, handshakeOfTrack(track), other));
        expect(right).toBeGreaterThan(25);
        expect(right - wrong).toBeGreaterThan(10);
      });
    }
  }

  test("continue the ADPCM state across blocks that are encoded again", async () => {
    const limits = { blockBytes: 3 * 640, cacheBytes: 1 };
    const track = await trackOf(melody(9_000, 1), 1, { codec: "adpcm" }, limits);
    const messages = await messagesOf(track);
    const decoder = new AdpcmDecoder(1, 320);
    const out = new Int16Array(400);
    let ended = 0;
    for (const message of messages) {
      expect(coderOfHeader(message, 12)).toBe(ended);
      decoder.decode(message, 12, message.length - 12, out, 0);
      ended = (decoder.state[0]! << 8) | decoder.state[1]!;
    }
    expect(messages.length).toBe(29);
    expect(await messagesOf(track)).toEqual(messages);
  });

  test("are read and encoded once for all streams, and again only when dropped from the cache", async () => {
    const file = wavFile(melody(32_000, 1), 1);
    let readBytes = 0;
    const plain = bytesSource(file);
    const source: AudioSource = {
      sizeBytes: file.length,
      read: (offset, length) => {
        readBytes += length;
        return plain.read(offset, length);
      },
    };
    const wav = await WavSource.open(source);
    const format = ingestFormat({
      ...wav,
      codec: "pcm",
      nibbles: "low",
      frameMs: 20,
      sampleRate: 16_000,
      channels: 1,
    });
    const track = new FileTrack(wav, format, { blockBytes: 6_400, cacheBytes: 20_000 });
    readBytes = 0;
    await Promise.all(Array.from({ length: 10 }, () => messagesOf(track, 30)));
    expect(readBytes).toBe(30 * 640);
    await messagesOf(track);
    expect(readBytes).toBe(64_000);
    await messagesOf(track, 10);
    expect(readBytes).toBe(64_000 + 6_400);
  });

  test("continue at the beginning without a gap if the file is looped", async () => {
    const pcm = roughness(777);
    const track = await trackOf(pcm, 1, {}, { loop: true, blockBytes: 2_000 });
    const heard = heardIn(await messagesOf(track, 25), handshakeOfTrack(track));
    expect(heard.length).toBe(25 * 320);
    expect(heard.every((sample, at) => sample === pcm[at % 777])).toBe(true);
    expect(track.samples).toBe(Infinity);
  });

  test("hold the upper 16 bits of other encodings", async () => {
    const head = encodeWavHeader(8_000, 1, 6);
    const view = new DataView(head.buffer);
    view.setUint16(32, 3, true);
    view.setUint16(34, 24, true);
    const file = new Uint8Array([...head, 0xff, 0x34, 0x12, 0x00, 0x00, 0x80]);
    const wav = await WavSource.open(bytesSource(file));
    const format = ingestFormat({
      codec: "pcm",
      nibbles: "low",
      frameMs: 20,
      sampleRate: 8_000,
      channels: 1,
    });
    const track = new FileTrack(wav, format);
    const heard = heardIn(await messagesOf(track), handshakeOfTrack(track));
    expect([...heard]).toEqual([0x1235, -32768]);
  });
});

describe("a file that cannot be sent", () => {
  test("is rejected if it is not WAV, or ends in its header", async () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(100), wavFile(melody(5, 1), 1).slice(0, 40)]) {
      expect((await failureOf(WavSource.open(bytesSource(bytes)))).code).toBe("BAD_AUDIO");
    }
  });

  test("is rejected if it shrinks while it is sent", async () => {
    const file = wavFile(melody(1_000, 1), 1);
    const source = {
      sizeBytes: file.length,
      read: (at: number, length: number) => file.subarray(at, Math.min(at + length, 500)),
    };
    const wav = await WavSource.open(source);
    const format = ingestFormat({
      codec: "pcm",
      nibbles: "low",
      frameMs: 20,
      sampleRate: 16_000,
      channels: 1,
    });
    const failure = await failureOf(messagesOf(new FileTrack(wav, format)));
    expect(failure.code).toBe("SOURCE_CHANGED");
  });

  test("is rejected as a loop if it is empty", async () => {
    expect((await failureOf(trackOf(new Int16Array(0), 1, {}, { loop: true }))).code).toBe("BAD_AUDIO");
  });
});
