import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runClient, startClient } from "../../testing/harness/client-process.ts";
import { until } from "../../testing/harness/until.ts";
import { handshakeFrom, heardFrom, mockIngestServers } from "../../testing/fixtures/ingest.ts";
import { deadAddress } from "../../testing/mocks/servers.ts";
import { riffChunk, riffFile } from "../../testing/fixtures/riff.ts";
import { melody, pcmBytes, signalToNoise, wavFile } from "../../testing/fixtures/wav.ts";

const mock = mockIngestServers();
const stereo = melody(16_100, 2);
const mono = melody(8_000, 1);
let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wavecache-stream-"));
  writeFileSync(join(folder, "stereo.wav"), wavFile(stereo, 2));
  writeFileSync(join(folder, "mono.wav"), wavFile(mono, 1));
  writeFileSync(join(folder, "empty.wav"), wavFile(new Int16Array(0), 1));
  writeFileSync(
    join(folder, "chunks.wav"),
    riffFile(Array.from({ length: 60_000 }, () => riffChunk("JUNK", []))),
  );
  writeFileSync(join(folder, "song.mp3"), "ID3 and some more bytes, but no WAV");
});

afterAll(() => rmSync(folder, { recursive: true }));

const run = (args: string[], input?: Uint8Array) => runClient(["stream", ...args], { cwd: folder, input });

describe("stream", () => {
  test("sends a file, prints a summary and exits with 0", async () => {
    const server = mock();
    const { out, err, code } = await run(["--wav", "stereo.wav", "--codec", "pcm", "--url", server.url]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(heardFrom(server.devices[0])).toEqual(stereo);
    expect(out).toMatch(/^Server +ws:.*\/ws\nStream +1\n/);
    expect(out).toMatch(/^Format +pcm, 16000 Hz, 2 channels, frames of 320 samples$/m);
    expect(out).toMatch(/^Sent +51 frames, .* \(65012 bytes\)$/m);
    expect(out).toMatch(/^Audio +1\.006 s \(16100 samples a channel\)$/m);
    expect(out).toMatch(/^Result +everything sent$/m);
    expect(out).not.toMatch(/^(Lag|Lost)/m);
  });

  test("sends many streams with consecutive ids, under the device's name", async () => {
    const server = mock();
    const args = ["--wav", "mono.wav", "--streams", "5", "--stream-id-base", "40", "--hwid", "AA:BB"];
    const { out, code } = await run([...args, "--nibbles", "high", "--frame-ms", "50", "--url", server.url]);
    expect(code).toBe(0);
    expect(out).toContain("Streams  5 (40 to 44)\n");
    expect(out).toContain("Format   adpcm, high nibble first, 16000 Hz, 1 channel, frames of 800 samples\n");
    expect(out).toContain("Audio    500 ms a stream (40000 samples a channel)\n");
    expect(server.devices.map(({ path }) => path)).toEqual(Array.from({ length: 5 }, () => "/ws/AA_BB"));
    expect(server.devices.map((device) => handshakeFrom(device).streamId).sort()).toEqual([
      40, 41, 42, 43, 44,
    ]);
    for (const device of server.devices) {
      expect(signalToNoise(mono, heardFrom(device, "high"))).toBeGreaterThan(25);
    }
  });

  test("with --realtime takes as long as the audio, and prints a line per second", async () => {
    const server = mock();
    const { out, err, code } = await run(["--wav", "stereo.wav", "--realtime", "--url", server.url]);
    expect(code).toBe(0);
    const { frames = [] } = server.devices[0] ?? {};
    const tookMs = (frames.at(-1)?.atMs ?? 0) - (frames[0]?.atMs ?? 0);
    expect(tookMs).toBeWithin(950, 1_400);
    expect(err).toMatch(/^1\.\d s {2}\d+ frames {2}[\d.]+ KiB {2}[01]\.\d\dx real time {2}lag \d+ ms\n$/);
    expect(out).toMatch(/^Lag +\d+ ms at most$/m);
  });

  test("reads raw samples or a WAV file from standard input", async () => {
    const server = mock();
    const args = ["--wav", "-", "--codec", "pcm", "--url", server.url];
    const raw = await run([...args, "--rate", "8000", "--channels", "2"], pcmBytes(stereo));
    expect({ err: raw.err, code: raw.code }).toEqual({ err: "", code: 0 });
    expect(handshakeFrom(server.devices[0])).toMatchObject({
      sampleRate: 8_000,
      channels: 2,
      frameSamples: 160,
    });
    expect(heardFrom(server.devices[0])).toEqual(stereo);
    expect((await run(args, wavFile(stereo, 2, 44_100))).code).toBe(0);
    expect(handshakeFrom(server.devices[1])).toMatchObject({ sampleRate: 44_100, channels: 2 });
    expect(heardFrom(server.devices[1])).toEqual(stereo);
  });

  test("sends only a handshake for an empty file", async () => {
    const server = mock();
    expect((await run(["--wav", "empty.wav", "--url", server.url])).code).toBe(0);
    expect(server.devices[0]?.frames).toEqual([]);
  });
});

describe("an interrupt", () => {
  for (const [signal, exitCode] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    test(`by ${signal} ends a loop after a whole frame, with a close handshake and the summary`, async () => {
      const server = mock();
      const args = ["stream", "--wav", "mono.wav", "--loop", "--realtime", "--url", server.url];
      const child = startClient(args, { cwd: folder });
      await until("some frames", 5_000, () => (server.devices[0]?.frames.length ?? 0) > 30);
      child.kill(signal);
      expect(await child.exited).toBe(exitCode);
      expect(await child.stderr.text()).toBe("interrupted\n");
      expect(await child.stdout.text()).toMatch(/^Result +ended early, everything up to here sent$/m);
      expect(server.devices[0]?.closeCode).toBe(1000);
    });
  }

  test("ends an endless standard input, and sends what has arrived", async () => {
    const server = mock();
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(pcmBytes(melody(1_000, 1))),
    });
    const args = ["stream", "--wav", "-", "--codec", "pcm", "--url", server.url];
    const child = startClient(args, { cwd: folder, input: endless });
    await until("the whole frames", 5_000, () => server.devices[0]?.frames.length === 3);
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(heardFrom(server.devices[0])).toEqual(melody(1_000, 1));
  });

  test("ends a WAV file on standard input that has not come to its audio", async () => {
    let pieces = 0;
    const head = riffFile([riffChunk("JUNK", [], 60_000_000)]);
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          // The pipe holds 64 KiB: the client has read from it once it took more.
          if (pieces < 20) controller.enqueue(pieces++ === 0 ? head : new Uint8Array(16_384));
          else return new Promise(() => undefined);
        },
      },
      { highWaterMark: 0 },
    );
    const child = startClient(["stream", "--wav", "-", "--url", mock().url], { cwd: folder, input: endless });
    await until("the client to read", 10_000, () => pieces === 20);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(143);
  });

  test("does not wait long for a server that reads nothing", async () => {
    const server = mock({ pauses: true });
    const args = ["stream", "--wav", "mono.wav", "--codec", "pcm", "--loop", "--frame-ms", "1000"];
    const child = startClient([...args, "--url", server.url], { cwd: folder });
    await until("a handshake", 5_000, () => server.devices[0]?.handshake !== undefined);
    const start = performance.now();
    child.kill("SIGINT");
    expect(await child.exited).toBe(130);
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

describe("a failure is one line after the summary, and the exit code is not 0", () => {
  test("a refusal, with the server's reason", async () => {
    const server = mock({ refuses: { code: 1008, reason: "frame codec mismatch" } });
    const { out, err, code } = await run(["--wav", "mono.wav", "--realtime", "--url", server.url]);
    expect(code).toBe(1);
    expect(out).toMatch(/^Result +FAILED$/m);
    expect(err).toMatch(/^error: the server refused: closed with 1008 \(frame codec mismatch\) \(.*\)\n$/);
  });

  test("of some streams among many, which does not end the others", async () => {
    const server = mock({ cutAfterFrames: [1] });
    const args = ["--wav", "mono.wav", "--realtime", "--streams", "3", "--retries", "0", "--url", server.url];
    const { out, err, code } = await run(args);
    expect(code).toBe(1);
    expect(out).toMatch(/^Result +1 of 3 FAILED$/m);
    expect(err).toMatch(
      /^error: 1 of 3 streams failed: connection lost \(is the server still running\?\)\n$/,
    );
    expect(server.devices.filter(({ frames }) => frames.length === 25).length).toBe(2);
  });

  test("a connection that was lost before the end, because frames may be missing", async () => {
    const server = mock({ cutAfterFrames: [5] });
    const { out, err, code } = await run(["--wav", "mono.wav", "--realtime", "--url", server.url]);
    expect(code).toBe(1);
    expect(out).toMatch(/^Lost +1 connection, made again$/m);
    expect(err).toMatch(
      /^stream 1: connection lost; trying again in .* \(1 of 10\)\nerror: 1 connection lost on the way/,
    );
  });

  test("an abnormal close at the end", async () => {
    const server = mock({ closesAfter: { frames: 25, code: 1011, reason: "storage failed" } });
    const { err, code } = await run(["--wav", "mono.wav", "--url", server.url]);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: the server closed with 1011 \(storage failed\) at the end \(.*\)\n$/);
  });

  const cases: [title: string, args: () => string[], line: RegExp, code: number][] = [
    ["no audio", () => [], /no audio to send \(give a WAV file/, 2],
    ["no such file", () => ["--wav", "none.wav"], /no such file or folder: none\.wav \(/, 1],
    [
      "no WAV file",
      () => ["--wav", "song.mp3"],
      /cannot be sent: not a WAV file, but audio\/mpeg \(convert it/,
      1,
    ],
    ["a loop of an empty file", () => ["--wav", "empty.wav", "--loop"], /the file has no audio \(/, 1],
    ["a loop of standard input", () => ["--wav", "-", "--loop"], /--loop needs a file \(/, 2],
    ["standard input many times", () => ["--wav", "-", "--streams", "2"], /--streams needs a file \(/, 2],
    [
      "a rate for a file",
      () => ["--wav", "mono.wav", "--rate", "8000"],
      /--rate and --channels are for --wav - \(/,
      2,
    ],
    [
      "an unknown codec",
      () => ["--wav", "mono.wav", "--codec", "mp3"],
      /--codec is "mp3" \(use adpcm or pcm\)/,
      2,
    ],
    [
      "too many streams",
      () => ["--wav", "mono.wav", "--streams", "10001"],
      /--streams is not a whole number from 1/,
      2,
    ],
    [
      "ids above the maximum",
      () => ["--wav", "mono.wav", "--stream-id-base", "4294967296"],
      /--stream-id-base is not/,
      2,
    ],
    ["no address", () => ["--wav", "mono.wav", "--url", "ftp://x"], /--url is no address: "ftp/, 2],
    [
      "a hardware id without a valid character",
      () => ["--wav", "mono.wav", "--hwid", "//"],
      /the hardware id "\/\/" has no allowed character/,
      2,
    ],
  ];
  for (const [title, args, line, exitCode] of cases) {
    test(title, async () => {
      const { err, code } = await run(args());
      expect(err).toMatch(line);
      expect(err).toMatch(/^error: [^\n]*\n$/);
      expect(code).toBe(exitCode);
    });
  }

  test("no server", async () => {
    const { err, code } = await run(["--wav", "mono.wav", "--retries", "0", "--url", deadAddress()]);
    expect(err).toMatch(/^error: cannot reach the server: ws:/);
    expect(code).toBe(1);
  });
});
