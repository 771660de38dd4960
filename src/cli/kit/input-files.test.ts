import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { isStreamId } from "../../base/stream-id.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { streamIdsOf, listFiles } from "./input-files.ts";

describe("the input files of a command line", () => {
  test("are its files and all files in its folders, except for hidden ones", async () => {
    using folder = temporaryFolder();
    const { path } = folder;
    mkdirSync(join(path, "music/sub"), { recursive: true });
    mkdirSync(join(path, "music/.git"));
    for (const name of [
      "one.wav",
      "music/b.wav",
      "music/a.wav",
      "music/sub/c.wav",
      "music/.x",
      "music/.git/y",
    ]) {
      writeFileSync(join(path, name), name);
    }
    // Following a link to a parent folder would never end.
    symlinkSync(join(path, "music"), join(path, "music/sub/up"));
    symlinkSync(join(path, "one.wav"), join(path, "music/sub/d.wav"));
    const files = await listFiles([join(path, "one.wav"), join(path, "music")]);
    expect(files.map(({ name }) => name)).toEqual(["one.wav", "a.wav", "b.wav", "sub/c.wav", "sub/d.wav"]);
    expect(files.map(({ sizeBytes }) => sizeBytes)).toEqual([7, 11, 11, 15, 7]);
  });

  test("must exist", async () => {
    const outcome = listFiles(["/nowhere/at all"]);
    expect(outcome).rejects.toThrow("no such file or folder: /nowhere/at all");
  });
});

describe("stream ids of names", () => {
  test("keep all characters that ids can have", () => {
    expect(streamIdsOf(["a.wav", "sub/b c.wav", "é.mp3"])).toEqual(["a.wav", "sub.b_c.wav", "_.mp3"]);
  });

  test("are valid, unique, and the same in every run", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 200 })), (names) => {
        const ids = streamIdsOf(names);
        expect(ids.filter((id) => !isStreamId(id))).toEqual([]);
        expect(new Set(ids).size).toBe(names.length);
        expect(streamIdsOf(names)).toEqual(ids);
      }),
    );
    const [first, second] = streamIdsOf(["a b", "a_b"]);
    expect(first).toMatch(/^a_b-[0-9a-f]{8}$/);
    expect(second).not.toBe(first!);
  });
});
