import { afterEach, beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join, resolve } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { openLog } from "../../base/log/log.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import type { StreamRow } from "../../store/streams/catalog.ts";
import { CacheLayout } from "../../store/layout.ts";
import { Library } from "../../store/library/library.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import type { Song } from "./song.ts";
import { Songs } from "./songs.ts";
import type { RangeReader } from "./stream-song.ts";

const samples = resolve(import.meta.dir, "../../../data/samples");
const sha256 = "ab".repeat(32);

let folder: ReturnType<typeof temporaryFolder>;
let library: Library;
let songs: Songs;
let stream: Partial<StreamRow> | null;

/** Reads in two parts what is not resident; fails ranges that touch the damaged byte. */
class FakeReader implements RangeReader {
  isResident = false;
  damagedAt: number | undefined;

  read(file: FileRef, offset: number, length: number, sink: ReadSink): void {
    const bytes = fs.readFileSync(file.path).subarray(offset, offset + length);
    const at = this.damagedAt;
    queueMicrotask(() => {
      sink.part(bytes.subarray(0, 1), false);
      if (at !== undefined && at >= offset && at < offset + length)
        return sink.failed(new WavecacheError("OBJECT_DAMAGED"));
      sink.part(bytes.subarray(1), true);
    });
  }

  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined {
    return this.isResident ? fs.readFileSync(file.path).subarray(offset, offset + length) : undefined;
  }
}
let reader: FakeReader;

beforeEach(async () => {
  folder = temporaryFolder();
  stream = null;
  reader = new FakeReader();
  const layout = new CacheLayout(join(folder.path, "cache"));
  layout.create();
  fs.mkdirSync(layout.objectFolder(sha256));
  fs.writeFileSync(layout.objectPath(sha256), "of the cache");
  library = await Library.open(join(folder.path, "library"), openLog("test"));
  const find = async () => stream as StreamRow | null;
  songs = new Songs(
    library,
    { find, hasArchive: true, assignReader: () => reader, hold: () => () => {} },
    layout,
  );
});
afterEach(() => {
  library.close();
  folder[Symbol.dispose]();
});

async function textOf(song: Song): Promise<string> {
  try {
    return new TextDecoder().decode(await song.read(0, song.size));
  } finally {
    await song.close();
  }
}

test("a name means a file of the library first, then a finished stream", async () => {
  expect(songs.open("take-1")).rejects.toThrow("no such song");
  stream = { state: "unfinished", sha256: null, key: "x" };
  expect(songs.open("take-1")).rejects.toThrow("no such song");
  stream = { state: "finished", sha256, size: 12 };
  const song = await songs.open("take-1");
  expect(song.sha256).toBe(sha256);
  expect(await textOf(song)).toBe("of the cache");
  fs.writeFileSync(join(library.folder, "take-1"), "of the library");
  expect(await textOf(await songs.open("take-1"))).toBe("of the library");
});

test("a stream whose audio was removed from outside has its own error", async () => {
  stream = { state: "finished", sha256: "cd".repeat(32), size: 1 };
  expect(songs.open("take-1")).rejects.toThrow("missing on disk");
});

test("a stream is read from memory, or in parts by a reader", async () => {
  stream = { state: "finished", sha256, size: 12 };
  for (const isResident of [false, true]) {
    reader.isResident = isResident;
    const song = await songs.open("take-1");
    expect(await song.read(3, 9, new Uint8Array(20))).toEqual(new Uint8Array(Buffer.from("the cache")));
    expect(await song.read(12, 0)).toEqual(new Uint8Array(0));
    expect(song.read(3, 10)).rejects.toThrow("not within");
  }
});

test("damaged audio of a stream fails the read, and a stream that is too short does not open", async () => {
  stream = { state: "finished", sha256, size: 12 };
  reader.damagedAt = 5;
  const song = await songs.open("take-1");
  expect(song.read(3, 9)).rejects.toThrow("damaged on disk");
  expect(await song.read(6, 3)).toEqual(new Uint8Array(Buffer.from(" ca")));
  stream.size = 13;
  expect(songs.open("take-1")).rejects.toThrow("damaged on disk");
});

test("a digest is remembered until the file changes", async () => {
  const path = join(library.folder, "a");
  fs.writeFileSync(path, "one");
  const first = await songs.open("a");
  expect(first.sha256).toBeUndefined();
  await first.noteDigest(sha256);
  await first.close();
  const second = await songs.open("a");
  expect(second.sha256).toBe(sha256);
  fs.writeFileSync(path, "two!");
  const third = await songs.open("a");
  expect(third.sha256).toBeUndefined();
  // This reader read the file before it changed.
  await second.noteDigest(sha256);
  await Promise.all([second.close(), third.close()]);
  const fourth = await songs.open("a");
  expect(fourth.sha256).toBeUndefined();
  await fourth.close();
});

test("the list has pages with sizes, types and durations, also of damaged files", async () => {
  for (const name of ["music-44k-stereo.mp3", "music-44k-stereo.wav", "speech-16k-mono.opus"])
    fs.copyFileSync(join(samples, name), join(library.folder, name));
  fs.writeFileSync(join(library.folder, "cut.flac"), "fLaC");
  fs.writeFileSync(join(library.folder, "notes.txt"), "no audio");
  fs.writeFileSync(join(library.folder, "empty.mp3"), "");
  const { songs: rows, next } = await songs.list({ after: "", limit: 10 });
  expect(next).toBeNull();
  expect(rows.map(({ name, type }) => [name, type])).toEqual([
    ["cut.flac", "audio/flac"],
    ["empty.mp3", "audio/mpeg"],
    ["music-44k-stereo.mp3", "audio/mpeg"],
    ["music-44k-stereo.wav", "audio/wav"],
    ["notes.txt", "application/octet-stream"],
    ["speech-16k-mono.opus", "audio/ogg; codecs=opus"],
  ]);
  for (const { name, size } of rows) expect(size).toBe(fs.statSync(join(library.folder, name)).size);
  const durations = Object.fromEntries(rows.map(({ name, duration }) => [name, duration]));
  const seconds = durations["music-44k-stereo.wav"]!;
  expect(seconds).toBeGreaterThan(1);
  expect(durations["music-44k-stereo.mp3"]).toBeCloseTo(seconds, 0);
  expect(durations["speech-16k-mono.opus"]).toBeGreaterThan(1);
  for (const name of ["cut.flac", "empty.mp3", "notes.txt"]) expect(durations[name]).toBeNull();

  const first = await songs.list({ after: "", limit: 4 });
  const second = await songs.list({ after: first.next!, limit: 4 });
  expect([...first.songs, ...second.songs]).toEqual(rows);
  expect(second.next).toBeNull();
  expect(await songs.list({ after: "z", limit: 4 })).toEqual({ songs: [], next: null });
});
