import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { maxWavSkippedBytes } from "../../base/limits/sounds.ts";
import { MiB } from "../../base/limits/units.ts";
import { failureOf } from "../../testing/fixtures/client.ts";
import { formatChunk, id3Tag, riffChunk, riffFile, sizesChunk } from "../../testing/fixtures/riff.ts";
import { melody, pcmBytes, wavAdpcmFile } from "../../testing/fixtures/wav.ts";
import { bytesSource } from "../audio-source.ts";
import { PipedAudio } from "./piped-audio.ts";
import { WavSource } from "./wav-source.ts";

const samples = new URL("../../../data/samples/", import.meta.url).pathname;
const caseFile = (name: string) => new Uint8Array(readFileSync(join(samples, "../cases", name)));
const pcm = melody(3_000, 2);
const bytes = pcmBytes(pcm);
const format = formatChunk({ blockBytes: 4, bits: 16 });
const wav = riffFile([format, riffChunk("data", bytes)]);

function joined(...parts: (Uint8Array | number[])[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

function pipe(content: Uint8Array, pieceBytes = 1_000): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= content.length) controller.close();
      else controller.enqueue(content.subarray(at, (at += pieceBytes)));
    },
  });
}

async function heardFromPipe(content: Uint8Array, pieceBytes = 1_000): Promise<Int16Array> {
  const audio = await PipedAudio.open(pipe(content, pieceBytes), { sampleRate: 16_000, channels: 2 });
  const pieces: number[] = [];
  for (let piece = await audio.read(); piece !== undefined; piece = await audio.read()) pieces.push(...piece);
  return Int16Array.from(pieces);
}

async function heardFromFile(content: Uint8Array<ArrayBuffer>): Promise<Int16Array> {
  const source = await WavSource.open(bytesSource(content));
  const out = new Int16Array(source.samples * source.channels);
  // In pieces that do not fit the blocks of ADPCM.
  for (let at = 0; at < source.samples; at += 333) {
    await source.read(at, Math.min(333, source.samples - at), out, at * source.channels);
  }
  return out;
}

const playable: [string, Uint8Array<ArrayBuffer>][] = [
  ["RIFF", wav],
  [
    "RF64",
    riffFile([sizesChunk(0, bytes.length, 3_000), format, riffChunk("data", bytes, 0xffffffff)], {
      magic: "RF64",
    }),
  ],
  ["an ID3 tag in front", joined(id3Tag(70_000), wav)],
  [
    "a mebibyte in front of the audio",
    riffFile([riffChunk("JUNK", new Uint8Array(MiB)), format, riffChunk("data", bytes)]),
  ],
  ["12 bits", riffFile([formatChunk({ blockBytes: 4, bits: 12 }), riffChunk("data", bytes)])],
  ["a wrong block size", riffFile([formatChunk({ blockBytes: 2, bits: 16 }), riffChunk("data", bytes)])],
  [
    "other chunks behind the audio",
    riffFile([format, riffChunk("data", bytes), riffChunk("LIST", new Uint8Array(999))]),
  ],
];

describe.each(playable)("WAV with %s", (_, file) => {
  test("is read from a pipe", async () => {
    for (const pieceBytes of [7, 1_000, file.length])
      expect(await heardFromPipe(file, pieceBytes)).toEqual(pcm);
  });

  test("is read from a file", async () => {
    expect(await heardFromFile(file)).toEqual(pcm);
  });
});

describe("WAV of IMA ADPCM", () => {
  const coded = wavAdpcmFile(pcm, 2, 16_000);

  test("is read from a pipe as from a file, whatever the pieces", async () => {
    const heard = await heardFromFile(coded);
    expect(heard.length).toBe(pcm.length);
    for (const pieceBytes of [97, 1_000, coded.length])
      expect(await heardFromPipe(coded, pieceBytes)).toEqual(heard);
  });

  test("may end within a block", async () => {
    const cut = coded.subarray(0, coded.length - 200).slice();
    const heard = await heardFromPipe(cut);
    expect(heard.length).toBeWithin(pcm.length - 2 * 505, pcm.length);
    expect(heard).toEqual(await heardFromFile(cut));
  });
});

describe("what is no WAV is refused by its name, and not recorded as noise:", () => {
  const frame = [0xff, 0xf1, 0x50, 0x80, 0x01, 0x7f, 0xfc, 1, 2, 3, 4];
  test.each<[string, Uint8Array<ArrayBuffer>, string]>([
    ["MP3", new Uint8Array(readFileSync(join(samples, "music-44k-stereo.mp3"))), "audio/mpeg"],
    ["MP3 behind zeros", joined(new Uint8Array(1_000), caseFile("mp3-xing-noframes.mp3")), "audio/mpeg"],
    ["MP3 of free format", caseFile("mp3-free.mp3"), "audio/mpeg"],
    ["Opus", new Uint8Array(readFileSync(join(samples, "speech-16k-mono.opus"))), "audio/ogg; codecs=opus"],
    ["FLAC", joined(new TextEncoder().encode("fLaC"), new Uint8Array(100)), "audio/flac"],
    ["FLAC behind a tag", joined(id3Tag(50), new TextEncoder().encode("fLaC".padEnd(99))), "audio/flac"],
    ["AIFF", joined(new TextEncoder().encode("FORM1234AIFFCOMM"), new Uint8Array(100)), "audio/aiff"],
    ["AAC", joined(...Array.from({ length: 20 }, () => frame)), "audio/aac"],
    ["WAV of another coding", riffFile([formatChunk({ tag: 0x31, blockBytes: 65, bits: 0 })]), "GSM"],
    [
      "WAV of too many chunks",
      riffFile(Array.from({ length: 60_000 }, () => riffChunk("JUNK", []))),
      "too many chunks",
    ],
    ["WAV without audio", riffFile([riffChunk("JUNK", [], 1_000)]), "ends before its audio"],
  ])("%s", async (_, file, reason) => {
    const failures = [await failureOf(heardFromPipe(file)), await failureOf(heardFromFile(file))];
    for (const failure of failures) {
      expect(failure.code).toBe("BAD_AUDIO");
      expect(failure.message).toContain(reason);
    }
  });

  test("WAV whose audio begins beyond the limit, at once", async () => {
    const head = riffFile([riffChunk("JUNK", [], maxWavSkippedBytes + 2)]);
    const endless = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(head) });
    const failure = await failureOf(PipedAudio.open(endless, { sampleRate: 16_000, channels: 1 }));
    expect(failure.message).toContain("no audio in the first 64 MiB");
  });

  test("and raw samples that look like the beginning of it are sent", async () => {
    for (const start of [frame, [0xff, 0xfb, 0x90, 0x64], [0x52, 0x49, 0x46, 0x46]]) {
      const raw = joined(start, [0], bytes).subarray(0, 5_000);
      expect((await heardFromPipe(raw)).length).toBe(2_500);
    }
  });
});

test("a pipe that ends before its WAV head is over, because the command is stopped, is no bad audio", async () => {
  const stop = new AbortController();
  const endless = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(riffFile([riffChunk("JUNK", [], 50_000_000)])),
  });
  const opened = PipedAudio.open(endless, { sampleRate: 16_000, channels: 1 }, stop.signal);
  stop.abort(new Error("stopped"));
  await expect(opened).rejects.toThrow("stopped");
});
