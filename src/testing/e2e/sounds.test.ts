/** Sounds of devices with the whole server: file formats, the cache across a restart, and failures. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OggOpusParser } from "../../codec/ogg/ogg-opus.ts";
import { scrape } from "../harness/http/exposition.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";
import { signal, soundWav } from "../fixtures/sound.ts";

useServers();

const samples = join(import.meta.dir, "../../../data/samples");
const speech = join(samples, "speech-16k-mono.opus");
const limitMs = 20_000;
let server: TestServer;

beforeAll(async () => {
  const flags = { "grpc-port": 0, sounds: "startup=voices/hello.opus,2=music.mp3", "lead-ms": 10_000 };
  const env = { WAVECACHE_FLASH: "no", WAVECACHE_FAILPOINTS: "sound.encode*2=exit-worker" };
  server = await TestServer.start({ flags, env });
  const library = join(server.folder, "library");
  mkdirSync(join(library, "voices"), { recursive: true });
  copyFileSync(speech, join(library, "voices/hello.opus"));
  copyFileSync(join(samples, "music-44k-stereo.mp3"), join(library, "music.mp3"));
  writeFileSync(join(library, "mode_1.wav"), soundWav(signal(44_100, 2), 44_100));
  writeFileSync(join(library, "mode_3.wav"), "RIFF....WAVE but nothing else");
});

afterAll(async () => {
  await server.dispose();
});

async function connect(id: string): Promise<GrpcDevice> {
  const device = new GrpcDevice(server.grpcPort, id);
  await device.untilConnected();
  return device;
}

/** Presses Play and waits for `count` packets, which the lead of ten seconds sends immediately. */
async function play(device: GrpcDevice, count: number): Promise<Uint8Array[]> {
  const before = device.packets.length;
  await device.pressed("play");
  await device.until(`${count} packets`, () => device.packets.length >= before + count, limitMs);
  return device.packets.slice(before, before + count).map(({ data }) => new Uint8Array(data));
}

test("an encoding thread that dies costs its sound; the next Play encodes it on another thread", async () => {
  using device = await connect("unlucky");
  await device.pressed("mode", "play");
  await until("a line about the thread", limitMs, () => server.log.includes("a worker died"));
  await until("the end of the sound", limitMs, () => server.log.includes("mode_1.wav"));
  expect((await play(device, 100)).length).toBe(100);
});

test("Opus in Ogg arrives unchanged, whatever the file's name", async () => {
  using device = await connect("passed-through");
  const runs = new OggOpusParser().push(await Bun.file(speech).bytes());
  const expected = runs.flatMap((run) => run.packets);
  expect(await play(device, 300)).toEqual(expected.slice(0, 300));
});

test("after a restart a sound comes from the cache", async () => {
  using before = await connect("early");
  await before.pressed("mode", "mode");
  const first = await play(before, 300);
  await until("the whole sound", limitMs, () => server.log.includes("encoded a sound name=music.mp3"));
  await server.restart({ env: { WAVECACHE_FLASH: "no" } });
  using after = await connect("late");
  await after.pressed("mode", "mode");
  expect(await play(after, 300)).toEqual(first);
  const metrics = (await scrape(server.httpBase))!;
  expect(metrics.sum("wavecache_sounds_opened_total", { from: "cache" })).toBe(1);
  expect(metrics.sum("wavecache_sounds_opened_total", { from: "source" })).toBe(0);
  expect(metrics.sum("wavecache_sounds")).toBe(1);
  expect(metrics.sum("wavecache_sound_bytes")).toBeGreaterThan(60_000);
});

test("an unreadable file plays nothing: the log says which and why, and the device stays connected", async () => {
  using device = await connect("third");
  await device.pressed("mode", "mode", "mode", "play");
  await until("a line about the file", limitMs, () =>
    /cannot be read: mode_3\.wav: .*WAV file/.test(server.log),
  );
  expect(device.packets).toEqual([]);
  await device.pressed("stop");
  expect((await play(device, 10)).length).toBe(10);
});

test("invalid sound settings fail the start", async () => {
  const { code, stderr } = await runServerToExit(["--sounds", "7=a.wav"]);
  expect(code).toBe(2);
  expect(stderr).toContain("--sounds");
  expect(stderr.trim().split("\n").length).toBe(1);
});
