import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  closeSync,
  ftruncateSync,
  openSync,
  readFileSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { maxSoundMs } from "../../base/limits/sounds.ts";
import { opusFrameSamples, opusSampleRate } from "../../codec/opus.ts";
import { encodeWavHeader, wavHeaderBytes } from "../../codec/wav/wav.ts";
import { id3Tag } from "../../testing/fixtures/riff.ts";
import { failureOf } from "../../testing/fixtures/failure-of.ts";
import { testLimitMs, until, within } from "../../testing/harness/until.ts";
import { packetsOfSound, TestSounds } from "../../testing/harness/servers/sounds.ts";
import { signal, soundWav } from "../../testing/fixtures/sound.ts";
import { soundNames } from "./sounds.ts";

setDefaultTimeout(testLimitMs);
const limitMs = testLimitMs / 2;

const wav = (seconds: number, rate = 16_000) => soundWav(signal(rate, seconds), rate);
const packetsIn = (seconds: number) => Math.ceil((seconds * opusSampleRate) / opusFrameSamples);

/** Writes a WAV of silence as a sparse file. */
function longWav(bench: TestSounds, name: string, seconds: number): void {
  const rate = 8_000;
  bench.put(name, encodeWavHeader(rate, 1, seconds * rate * 2));
  truncateSync(bench.pathOf(name), wavHeaderBytes + seconds * rate * 2);
}

describe("sounds", () => {
  test("are found by mode, in the order of suffixes, or by the name in the settings", async () => {
    await using bench = new TestSounds();
    bench.put("startup.mp3", Uint8Array.of(1));
    bench.put("startup.wav", wav(0.1));
    bench.put("mode_5.wav", wav(0.2));
    bench.put("folder/other.wav", wav(0.3));
    const sounds = await bench.start({ names: soundNames(new Map([[2, "folder/other.wav"]])) });
    expect((await packetsOfSound(await sounds.open(0))).length).toBe(5);
    expect((await packetsOfSound(await sounds.open(5))).length).toBe(10);
    expect((await packetsOfSound(await sounds.open(2))).length).toBe(15);
    for (const mode of [1, 6, -1]) {
      expect(await failureOf(sounds.open(mode))).toBe("SOUND_UNKNOWN");
    }
  });

  test("for the start are also found as startup_mode, after the names that begin with startup", async () => {
    await using bench = new TestSounds();
    bench.put("startup_mode.wav", wav(0.2));
    const sounds = await bench.start();
    expect((await packetsOfSound(await sounds.open(0))).length).toBe(10);
    bench.put("startup_mode.mp3", Uint8Array.of(1));
    bench.put("startup.wav", wav(0.1));
    expect((await packetsOfSound(await sounds.open(0))).length).toBe(5);
  });

  test("are encoded once for all players, current and later ones", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", wav(1));
    const sounds = await bench.start();
    const open = await Promise.all(Array.from({ length: 20 }, () => sounds.open(1)));
    const all = await Promise.all(open.map(packetsOfSound));
    for (const packets of all) expect(packets).toEqual(all[0]!);
    const again = await sounds.open(1);
    expect(again.isComplete).toBe(true);
    expect(again.packets[0]).toBe(all[0]![0]!);
    again.release();
    expect(sounds).toMatchObject({ encoded: 1, loaded: 0, count: 1 });
  });

  test("have the same packets whenever and beside whichever others they are encoded", async () => {
    await using bench = new TestSounds();
    for (let mode = 0; mode <= 5; mode++) bench.put(soundNames(new Map())[mode]![0]!, wav(0.8, 44_100));
    const sounds = await bench.start();
    const alone = await packetsOfSound(await sounds.open(0));
    const open = await Promise.all([1, 2, 3, 4, 5].map((mode) => sounds.open(mode)));
    for (const packets of await Promise.all(open.map(packetsOfSound))) expect(packets).toEqual(alone);
    expect(sounds.encoded).toBe(6);
  });

  test("load quickly from the cache after a restart", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", wav(2));
    const first = await packetsOfSound(await (await bench.start()).open(1));
    const sounds = await bench.start();
    const startedAt = performance.now();
    const sound = await sounds.open(1);
    await sound.waitBeyond(0);
    // The target is 50 ms; an idle machine takes about 2.
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(await packetsOfSound(sound)).toEqual(first);
    expect(sounds).toMatchObject({ encoded: 0, loaded: 1 });
  });

  test("are not held up by a file in which audio is searched for a long time", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.mp3", id3Tag(10));
    truncateSync(bench.pathOf("mode_1.mp3"), 2 ** 34);
    bench.put("mode_2.wav", wav(1));
    const sounds = await bench.start();
    const hostile = await sounds.open(1);
    let hasEnded = false;
    const reason = hostile.waitBeyond(0).then(() => "played", String);
    void reason.then(() => (hasEnded = true));
    expect((await packetsOfSound(await sounds.open(2))).length).toBe(50);
    expect(hasEnded).toBe(false);
    expect(await reason).toContain("no audio in 64 MiB");
    hostile.release();
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ["a changed byte", (bytes) => bytes.with(bytes.length - 20, bytes.at(-20)! ^ 1)],
    ["a changed length", (bytes) => bytes.with(24, bytes[24]! ^ 1)],
    ["a cut end", (bytes) => bytes.subarray(0, bytes.length - 10)],
    ["nothing in it", () => new Uint8Array(0)],
    ["another version", (bytes) => bytes.with(8, 3)],
  ])("are encoded again if the file in the cache has %s", async (_, damage) => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", wav(0.3));
    const first = await packetsOfSound(await (await bench.start()).open(1));
    const [path] = bench.stored();
    const good = new Uint8Array(readFileSync(path!));
    writeFileSync(path!, damage(good));
    const sounds = await bench.start();
    expect(await packetsOfSound(await sounds.open(1))).toEqual(first);
    expect(sounds).toMatchObject({ encoded: 1, loaded: 0 });
    expect(new Uint8Array(readFileSync(path!))).toEqual(good);
    expect(bench.log.lines.join()).toContain("mode_1.wav");
  });

  test("of a replaced file are new at the next opening, while players of the old one hear it to its end", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", wav(0.5));
    const sounds = await bench.start();
    const old = await sounds.open(1);
    bench.put("mode_1.wav", wav(0.2));
    expect((await packetsOfSound(await sounds.open(1))).length).toBe(packetsIn(0.2));
    expect((await packetsOfSound(old)).length).toBe(packetsIn(0.5));
  });

  test("that cannot be read fail with the reason, and others continue", async () => {
    await using bench = new TestSounds();
    const noise = Uint8Array.from({ length: 50_000 }, (_, at) => (at * at * 31) >> 5);
    bench.put("mode_1.wav", noise);
    bench.put("mode_2.mp3", new TextEncoder().encode(`ID3\x03\0\0\0\0\0\x10${"no frame ".repeat(9_000)}`));
    bench.put("mode_3.wav", new Uint8Array(0));
    bench.put("mode_4.ogg", new TextEncoder().encode(`OggS\0${" ".repeat(23)}OpusHead${"x".repeat(100)}`));
    bench.put("mode_5.wav", wav(0.5));
    bench.put("startup.wav", soundWav(signal(16_000, 0.1), 500));
    const sounds = await bench.start();
    const good = packetsOfSound(await sounds.open(5));
    for (const mode of [0, 1, 2, 3, 4]) {
      const result = packetsOfSound(await sounds.open(mode));
      expect(await failureOf(result)).toBe("SOUND_UNREADABLE");
    }
    expect((await good).length).toBe(packetsIn(0.5));
    expect(sounds.count).toBe(1);
    expect(bench.log.lines).toEqual([]);
    bench.put("mode_1.wav", wav(0.1));
    expect((await packetsOfSound(await sounds.open(1))).length).toBe(packetsIn(0.1));
  });

  test("that cannot be read name the file and the reason, in the log if they have no player", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", new TextEncoder().encode("RIFF....WAVE and nothing else"));
    const sounds = await bench.start();
    const sound = await sounds.open(1);
    const message = await sound.waitBeyond(0).catch((error: unknown) => String(error));
    expect(message).toMatch(/cannot be read: mode_1\.wav: .*WAV file/);
    sound.release();
    (await sounds.open(1)).release();
    await until("the log line", limitMs, () => bench.log.lines.join().includes("mode_1.wav"));
  });

  test("that are empty are complete without a packet", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", encodeWavHeader(44_100, 2, 0));
    const sounds = await bench.start();
    expect(await packetsOfSound(await sounds.open(1))).toEqual([]);
  });

  test("are as long as their file, whatever its header says, and at most an hour", async () => {
    await using bench = new TestSounds();
    const claiming = wav(0.4);
    new DataView(claiming.buffer).setUint32(40, 0x7fffffff, true);
    bench.put("mode_1.wav", claiming);
    longWav(bench, "mode_2.wav", maxSoundMs / 1000 + 1);
    const sounds = await bench.start();
    expect((await packetsOfSound(await sounds.open(1))).length).toBe(packetsIn(0.4));
    const long = await sounds.open(2);
    expect(await failureOf(packetsOfSound(long))).toBe("SOUND_TOO_LONG");
    expect(long.packets).toEqual([]);
  });

  test("whose file is truncated while they are encoded fail, and are not stored", async () => {
    await using bench = new TestSounds();
    longWav(bench, "mode_1.wav", 600);
    const sounds = await bench.start();
    const sound = await sounds.open(1);
    await within("a packet", limitMs, sound.waitBeyond(0));
    const descriptor = openSync(bench.pathOf("mode_1.wav"), "r+");
    ftruncateSync(descriptor, 1_000);
    closeSync(descriptor);
    expect(await failureOf(packetsOfSound(sound))).toBe("SONG_CHANGED");
    expect(bench.stored()).toEqual([]);
  });

  test("whose file is changed while they are encoded play, and are not stored", async () => {
    await using bench = new TestSounds();
    longWav(bench, "mode_1.wav", 200);
    const sounds = await bench.start();
    const sound = await sounds.open(1);
    await within("a packet", limitMs, sound.waitBeyond(0));
    const descriptor = openSync(bench.pathOf("mode_1.wav"), "r+");
    writeSync(descriptor, Uint8Array.of(1, 2), 0, 2, 30_000);
    closeSync(descriptor);
    expect((await packetsOfSound(sound)).length).toBe(packetsIn(200));
    await until("the log line", limitMs, () => bench.log.lines.join().includes("not stored"));
    expect(bench.stored()).toEqual([]);
  });

  test("without a player are abandoned, and start again for the next one", async () => {
    await using bench = new TestSounds();
    longWav(bench, "mode_1.wav", 3_000);
    const sounds = await bench.start({ abandonMs: 1 });
    const sound = await sounds.open(1);
    await within("a packet", limitMs, sound.waitBeyond(0));
    sound.release();
    sound.release();
    await until("the end of the work", limitMs, () => sounds.count === 0 && bench.stored().length === 0);
    expect(sounds.bytes).toBe(0);
    const again = await sounds.open(1);
    await within("a packet of the next", limitMs, again.waitBeyond(0));
    expect(sounds.encoded).toBe(2);
    // Closing rejects the players that wait.
    const failure = failureOf(packetsOfSound(again));
    await within("the end of the sounds", limitMs, sounds.close());
    expect(await failure).toBe("SHUTTING_DOWN");
    expect(await failureOf(sounds.open(1))).toBe("SHUTTING_DOWN");
  });

  test("continue if a player returns in time, and short ones finish without a player", async () => {
    await using bench = new TestSounds();
    bench.put("mode_1.wav", wav(1));
    const sounds = await bench.start({ abandonMs: limitMs });
    (await sounds.open(1)).release();
    const sound = await sounds.open(1);
    expect((await packetsOfSound(sound)).length).toBe(packetsIn(1));
    bench.put("mode_2.wav", wav(0.5));
    (await sounds.open(2)).release();
    await until("the second sound's file", limitMs, () => bench.stored().length === 2);
    expect(sounds.encoded).toBe(2);
  });

  test("without a player are evicted from a full memory; those that play stay, and no more can start", async () => {
    await using bench = new TestSounds();
    for (let mode = 1; mode <= 4; mode++) bench.put(`mode_${mode}.wav`, wav(0.5 + mode / 100));
    const sounds = await bench.start({ maxBytes: 15_000 });
    const playing = await sounds.open(1);
    await packetsOfSound(await sounds.open(1));
    const one = sounds.bytes;
    expect(one).toBeWithin(6_000, 12_000);
    await packetsOfSound(await sounds.open(2));
    await packetsOfSound(await sounds.open(3));
    // The second sound was evicted, the first one is the same.
    expect(sounds.count).toBe(1);
    expect(sounds.bytes).toBe(one);
    const second = await sounds.open(2);
    await until("the second sound", limitMs, () => second.isComplete);
    expect(sounds).toMatchObject({ encoded: 3, loaded: 1, count: 2 });
    expect(await failureOf(sounds.open(4))).toBe("SOUNDS_EXHAUSTED");
    playing.release();
    expect((await packetsOfSound(await sounds.open(4))).length).toBe(packetsIn(0.54));
    second.release();
  });
});
