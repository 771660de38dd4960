import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { failureOf } from "../../testing/fixtures/client.ts";
import { Random } from "../../testing/harness/bytes.ts";
import { type Coding, handshakeOfTrack, heardIn, messagesOf } from "../../testing/fixtures/ingest.ts";
import { melody, pcmBytes, roughness, wavFile } from "../../testing/fixtures/wav.ts";
import { ingestFormat } from "./format.ts";
import { PipedAudio } from "./piped-audio.ts";
import { PipedTrack } from "./piped-track.ts";

function inputOf(pieces: readonly Uint8Array[]): { input: ReadableStream<Uint8Array>; pulled: () => number } {
  let pulled = 0;
  const input = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const piece = pieces[pulled++];
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  return { input, pulled: () => pulled };
}

async function liveTrack(
  input: ReadableStream<Uint8Array>,
  channels = 1,
  coding: Coding = {},
  stop?: AbortSignal,
): Promise<PipedTrack> {
  const audio = await PipedAudio.open(input, { sampleRate: 16_000, channels }, stop);
  const defaults = { codec: "pcm", nibbles: "low", frameMs: 20 } as const;
  const { sampleRate } = audio;
  return new PipedTrack(
    audio,
    ingestFormat({ ...defaults, ...coding, sampleRate, channels: audio.channels }),
  );
}

describe("audio from a pipe", () => {
  test("becomes frames with exactly its samples, however the bytes are split", async () => {
    const shape = fc.record({
      samples: fc.integer({ min: 0, max: 2_000 }),
      channels: fc.integer({ min: 1, max: 3 }),
      maxPiece: fc.integer({ min: 1, max: 3_000 }),
      isWav: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ samples, channels, maxPiece, isWav }) => {
        const pcm = roughness(samples * channels);
        const bytes = isWav ? wavFile(pcm, channels) : pcmBytes(pcm);
        const { input } = inputOf(new Random(samples).pieces(bytes, maxPiece));
        const track = await liveTrack(input, channels);
        expect(heardIn(await messagesOf(track), handshakeOfTrack(track))).toEqual(pcm);
        expect(track.samples).toBe(samples);
      }),
    );
  });

  test("has the channels of its header if it is a WAV file", async () => {
    const { input } = inputOf([wavFile(melody(100, 2), 2, 44_100)]);
    const track = await liveTrack(input, 1);
    expect(track.format).toMatchObject({ channels: 2, sampleRate: 44_100 });
  });

  test("ends at the end of the WAV file's audio, not of the file", async () => {
    const file = wavFile(melody(100, 1), 1);
    const { input } = inputOf([Buffer.concat([file, Buffer.from("LIST....more, which is no audio")])]);
    const track = await liveTrack(input);
    await messagesOf(track);
    expect(track.samples).toBe(100);
  });

  test("drops a partial sample at the end", async () => {
    const { input } = inputOf([pcmBytes(melody(10, 1)).slice(0, 19)]);
    const track = await liveTrack(input);
    await messagesOf(track);
    expect(track.samples).toBe(9);
  });

  test("is read only on request, and each frame is ready as soon as its samples are", async () => {
    const frame = pcmBytes(melody(320, 1));
    const { input, pulled } = inputOf(Array.from({ length: 1_000 }, () => frame));
    const track = await liveTrack(input);
    for (let n = 0; n < 10; n++) {
      expect((await track.frame(n))?.length).toBe(652);
      expect(pulled()).toBe(n + 1);
    }
  });

  test("is kept for a while, and then dropped", async () => {
    const frame = pcmBytes(melody(320, 1));
    const { input } = inputOf(Array.from({ length: 1_000 }, () => frame));
    const track = await liveTrack(input);
    const messages = await messagesOf(track, 999);
    expect(messages.length).toBe(999);
    expect((await track.frame(650))?.length).toBe(652);
    expect(() => track.frame(100)).toThrow("not kept any more");
  });

  test("ends with its last samples when it is stopped, also while it waits for input", async () => {
    const stop = new AbortController();
    const input = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(pcmBytes(melody(400, 1))) });
    const track = await liveTrack(input, 1, {}, stop.signal);
    expect((await track.frame(0))?.length).toBe(652);
    const last = track.frame(1);
    stop.abort();
    expect((await last)?.length).toBe(172);
    expect(track.frame(2)).toBeUndefined();
  });

  test("that never comes ends when it is stopped", async () => {
    const stop = new AbortController();
    const opening = liveTrack(new ReadableStream<Uint8Array>({}), 1, {}, stop.signal);
    stop.abort();
    expect(await messagesOf(await opening)).toEqual([]);
  });

  test("is refused if its WAV header is not supported", async () => {
    const file = wavFile(melody(100, 1), 1);
    file[20] = 0x55;
    expect(await failureOf(liveTrack(inputOf([file]).input))).toMatchObject({ code: "BAD_AUDIO" });
  });
});
