import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { WavecacheError } from "../../base/errors.ts";
import { openLog } from "../../base/log/log.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Library } from "./library.ts";
import type { Precondition } from "./library-writer.ts";
import { isStorableName } from "./names.ts";

let folder: ReturnType<typeof temporaryFolder>;
let library: Library;

beforeEach(async () => {
  folder = temporaryFolder();
  library = await Library.open(join(folder.path, "library"), openLog("test"));
});

afterEach(() => {
  library.close();
  folder[Symbol.dispose]();
});

const anyway: Precondition = () => undefined;
const mustBeNew: Precondition = (current) => {
  if (current !== undefined) throw new WavecacheError("SONG_EXISTS");
};
const refuse: Precondition = () => {
  throw new WavecacheError("PRECONDITION_FAILED");
};

async function put(name: string, text: string, condition = anyway): Promise<{ isNew: boolean; key: string }> {
  const song = await library.writer.begin();
  try {
    await song.write(Buffer.from(text));
    await song.seal();
    return await library.writer.install(song, name, condition);
  } finally {
    await song.discard();
  }
}

function contentOf(name: string): string {
  return fs.readFileSync(join(library.folder, name), "utf8");
}

/** The code that the action fails with. */
async function codeOf(action: Promise<unknown>): Promise<string | undefined> {
  try {
    await action;
    return undefined;
  } catch (error) {
    return error instanceof WavecacheError ? error.code : String(error);
  }
}

function incoming(): string[] {
  return fs.readdirSync(join(library.folder, ".incoming"));
}

describe("a song that is put into the library", () => {
  test("is there as a whole, in folders that are made for it, and nothing else is left", async () => {
    expect(await put("a/b/song.mp3", "first")).toMatchObject({ isNew: true });
    expect(contentOf("a/b/song.mp3")).toBe("first");
    expect(await library.list()).toEqual(["a/b/song.mp3"]);
    expect(await put("a/b/song.mp3", "second")).toMatchObject({ isNew: false });
    expect(contentOf("a/b/song.mp3")).toBe("second");
    expect(incoming()).toEqual([]);
  });

  test("has the key that a reader of it sees", async () => {
    const { key } = await put("song", "text");
    const file = (await library.find("song"))!;
    expect(file.key).toBe(key);
    await file.close();
  });

  test("is neither found nor listed before it has its name", async () => {
    const song = await library.writer.begin();
    await song.write(Buffer.from("text"));
    const [name] = incoming();
    expect(await library.find(`.incoming/${name}`)).toBeUndefined();
    expect(await library.list()).toEqual([]);
    await song.discard();
    expect(incoming()).toEqual([]);
  });

  test("replaces the song of the same name in the other Unicode form, and folders are found in both", async () => {
    const [nfc, nfd] = ["Björk".normalize("NFC"), "Björk".normalize("NFD")];
    fs.mkdirSync(join(library.folder, nfd));
    fs.writeFileSync(join(library.folder, nfd, `${nfd}.mp3`), "old");
    await put(`${nfc}/${nfc}.mp3`, "new");
    expect(fs.readdirSync(join(library.folder, nfd))).toEqual([`${nfd}.mp3`]);
    expect(contentOf(`${nfd}/${nfd}.mp3`)).toBe("new");
    await put(`${nfd}2/x`, "in NFC");
    expect(contentOf(`${nfc}2/x`)).toBe("in NFC");
  });

  test("asks the condition about the song that has the name at the rename, one after the other", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 5 }, (_, at) => codeOf(put("song", `text ${at}`, mustBeNew))),
    );
    expect(outcomes.filter((code) => code === undefined).length).toBe(1);
    expect(outcomes.filter((code) => code === "SONG_EXISTS").length).toBe(4);
    expect(incoming()).toEqual([]);
  });

  test("never lands outside of the library", async () => {
    const outside = join(folder.path, "outside");
    fs.mkdirSync(outside);
    fs.symlinkSync(outside, join(library.folder, "out"));
    fs.symlinkSync(join(folder.path, "target"), join(library.folder, "link.mp3"));
    fs.writeFileSync(join(folder.path, "target"), "kept");
    expect(await codeOf(put("out/song", "x"))).toBe("BAD_SONG_NAME");
    expect(await codeOf(put("out/new/song", "x"))).toBe("BAD_SONG_NAME");
    expect(await codeOf(library.writer.remove("out/song", anyway))).toBe("BAD_SONG_NAME");
    await put("link.mp3", "instead of the link");
    expect(fs.readdirSync(outside)).toEqual([]);
    expect(fs.readFileSync(join(folder.path, "target"), "utf8")).toBe("kept");
    expect(contentOf("link.mp3")).toBe("instead of the link");
  });

  test("gets no name that a folder has, that leads through a file, or that no file can have", async () => {
    await put("a/song", "x");
    for (const name of ["a", "a/song/x", `${"x".repeat(300)}.mp3`])
      expect([name, await codeOf(put(name, "y"))]).toEqual([name, "BAD_SONG_NAME"]);
    expect(contentOf("a/song")).toBe("x");
    expect(incoming()).toEqual([]);
  });
});

describe("removing a song", () => {
  test("leaves other songs, and says whether there was one", async () => {
    await put("a/one", "1");
    await put("a/two", "2");
    expect(await library.writer.remove("a/one", anyway)).toBe(true);
    expect(await library.writer.remove("a/one", anyway)).toBe(false);
    expect(await library.writer.remove("b/one", anyway)).toBe(false);
    expect(await library.list()).toEqual(["a/two"]);
  });

  test("does nothing where the condition throws", async () => {
    await put("song", "1");
    expect(await codeOf(library.writer.remove("song", refuse))).toBe("PRECONDITION_FAILED");
    expect(contentOf("song")).toBe("1");
  });
});

test("a start removes what interrupted uploads have left, and keeps those of the last hour", async () => {
  const [old, young] = [await library.writer.begin(), await library.writer.begin()];
  fs.utimesSync(old.path, 1000, 1000);
  await library.writer.clean(openLog("test"));
  expect(fs.existsSync(old.path)).toBe(false);
  expect(fs.existsSync(young.path)).toBe(true);
  await Promise.all([old.discard(), young.discard()]);
});

test.each([
  ["a.mp3", true],
  ["a/b c/ü.mp3", true],
  ["...Baby.mp3", true],
  [".hidden", false],
  [".incoming/x", false],
  ["a/.b/c", false],
  ["../a", false],
  ["", false],
  [`${"a/".repeat(40)}b`, false],
])("whether a client may give a song the name %p: %p", (name, expected) => {
  expect(isStorableName(name)).toBe(expected);
});
