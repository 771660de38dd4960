import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import * as fs from "node:fs";
import { join } from "node:path";
import { openLog } from "../../base/log/log.ts";
import { isSongName } from "../../base/ids/song-name.ts";
import { until } from "../../testing/harness/until.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Library } from "./library.ts";

const secret = "content outside the library";
let folder: ReturnType<typeof temporaryFolder>;
let library: Library;

/** Writes a file of the library and creates its folders. */
function put(name: string, content = name): void {
  const path = join(library.folder, name);
  fs.mkdirSync(join(path, ".."), { recursive: true });
  fs.writeFileSync(path, content);
}

/** The content of the file that a name finds, or undefined. */
async function contentOf(name: string): Promise<string | undefined> {
  const file = await library.find(name);
  if (file === undefined) return undefined;
  try {
    return new TextDecoder().decode(await file.read(0, file.size));
  } finally {
    await file.close();
  }
}

beforeEach(async () => {
  folder = temporaryFolder();
  fs.writeFileSync(join(folder.path, "secret"), secret);
  library = await Library.open(join(folder.path, "music", "library"), openLog("test"));
});
afterEach(() => {
  library.close();
  folder[Symbol.dispose]();
});

describe("a song", () => {
  test("is found by its name: in folders, with spaces and in any script", async () => {
    for (const name of [
      "a.mp3",
      "Artist/Album/01 Title.flac",
      "музыка/песня.ogg",
      "歌.wav",
      "...Baby.mp3",
      "Act 1: a",
    ]) {
      put(name);
      expect(await contentOf(name)).toBe(name);
    }
  });

  test("is found in both Unicode forms, whichever form its folder and its file use", async () => {
    const [nfc, nfd] = ["Björk".normalize("NFC"), "Björk".normalize("NFD")];
    put(`${nfd}/${nfc}.mp3`, "mixed");
    for (const directory of [nfc, nfd])
      for (const file of [nfc, nfd]) expect(await contentOf(`${directory}/${file}.mp3`)).toBe("mixed");
    expect(await contentOf(`${nfc}/Bjork.mp3`)).toBeUndefined();
  });

  test("can be opened as soon as its file exists, and not after the file is removed", async () => {
    expect(await contentOf("new.mp3")).toBeUndefined();
    put("new.mp3", "1");
    expect(await contentOf("new.mp3")).toBe("1");
    fs.rmSync(join(library.folder, "new.mp3"));
    expect(await contentOf("new.mp3")).toBeUndefined();
  });

  test("that is truncated while open fails reads past its new end only", async () => {
    put("a", "0123456789");
    const file = (await library.find("a"))!;
    fs.truncateSync(join(library.folder, "a"), 4);
    expect(await file.read(0, 4)).toEqual(new TextEncoder().encode("0123"));
    expect(file.read(2, 8)).rejects.toThrow("changed while it was read");
    expect(await file.isUnchanged()).toBe(false);
    await file.close();
  });

  test("is never a folder, a pipe, a device or a socket", async () => {
    put("folder/file");
    fs.symlinkSync("/dev/zero", join(library.folder, "zero"));
    if (process.platform !== "win32") Bun.spawnSync(["mkfifo", join(library.folder, "pipe")]);
    using server = Bun.listen({ unix: join(library.folder, "socket"), socket: { data() {} } });
    for (const name of ["folder", "folder/", "zero", "pipe", "socket"])
      expect(await contentOf(name), name).toBeUndefined();
    expect(server.unix).toBeDefined();
  });
});

describe("nothing outside the library is reachable", () => {
  const hostile = [
    "../../secret",
    "..",
    ".",
    "",
    "/",
    "/etc/passwd",
    "folder/../../../secret",
    "folder/..",
    "./folder/file",
    "folder//file",
    "..\\..\\secret",
    "folder\\file",
    "C:\\secret",
    "c:secret",
    "\\\\host\\share",
    "folder/file\0.mp3",
    "folder/file\n",
    "folder/\u0085",
    "CON",
    "nul.mp3",
    "folder/COM1",
    "folder/lpt9 .txt",
    "aux:stream",
    ".. /secret",
    "... /../x",
    "x".repeat(1025),
    "ü".repeat(513),
    "\ud800",
  ];

  test("by names that are rejected before any access to the disk", async () => {
    put("folder/file");
    for (const name of hostile) {
      expect(isSongName(name), JSON.stringify(name)).toBe(false);
      expect(await contentOf(name), JSON.stringify(name)).toBeUndefined();
    }
    expect(isSongName("x".repeat(1024))).toBe(true);
    expect(await contentOf("x".repeat(1024))).toBeUndefined();
  });

  test("by any other name", async () => {
    put("folder/file", "inside");
    const part = fc.constantFrom(
      "..",
      ".",
      "folder",
      "file",
      "secret",
      "music",
      "library",
      "/",
      "\\",
      "\0",
      "C:",
      " ",
    );
    const separator = fc.constantFrom("/", "\\", "//", "/./", "/../", "");
    const pieces = fc.array(fc.tuple(fc.oneof(part, fc.string({ maxLength: 4 })), separator), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(pieces, async (parts) => {
        const content = await contentOf(parts.flat().join(""));
        expect([undefined, "inside"]).toContain(content);
      }),
      { numRuns: 300 },
    );
  });

  test("through links; links that stay inside work", async () => {
    put("folder/file", "inside");
    const links: [string, string][] = [
      ["out", "../../secret"],
      ["absolute", join(folder.path, "secret")],
      ["up", "../../.."],
      ["chain", "out"],
      ["cycle", "cycle"],
      ["in", "folder/file"],
      ["alias", "folder"],
    ];
    for (const [name, target] of links) fs.symlinkSync(target, join(library.folder, name));
    for (const name of ["out", "absolute", "up/secret", "chain", "cycle", "alias/../../../secret"])
      expect(await contentOf(name), name).toBeUndefined();
    expect(await contentOf("in")).toBe("inside");
    expect(await contentOf("alias/file")).toBe("inside");
    expect(await library.list()).toEqual(["folder/file", "in"]);
  });

  test("through a folder that becomes a link while a song in it is opened", async () => {
    put("folder/secret", "inside");
    const [real, aside] = [join(library.folder, "folder"), join(library.folder, "aside")];
    const found = new Set<string | undefined>();
    const over = new AbortController();
    const swap = async (): Promise<void> => {
      while (!over.signal.aborted) {
        await fs.promises.rename(real, aside);
        await fs.promises.symlink(folder.path, real);
        await fs.promises.unlink(real);
        await fs.promises.rename(aside, real);
      }
    };
    const swapping = swap();
    const deadline = performance.now() + 700;
    while (performance.now() < deadline)
      for (const content of await Promise.all(Array.from({ length: 4 }, () => contentOf("folder/secret"))))
        found.add(content);
    over.abort();
    await swapping;
    expect(found).toContain("inside");
    expect(found).not.toContain(secret);
  });
});

describe("the list", () => {
  test("has the names of all files, sorted and in NFC, without hidden files and invalid names", async () => {
    for (const name of [
      "b.mp3",
      "a/z.mp3",
      "a/b/c.mp3",
      "B\u0308.wav",
      ".DS_Store",
      ".git/x",
      "...more.mp3",
      "new\nline",
    ])
      put(name);
    expect(await library.list()).toEqual(
      ["...more.mp3", "a/b/c.mp3", "a/z.mp3", "b.mp3", "B\u0308.wav".normalize("NFC")].sort(),
    );
  });

  test("has new files, also in new folders and after the library folder was replaced", async () => {
    expect(await library.list()).toEqual([]);
    const listed = async (names: string[]): Promise<void> => {
      await until(`${names} in the list`, 5_000, async () => Bun.deepEquals(await library.list(), names));
    };
    put("x/y.mp3");
    await listed(["x/y.mp3"]);
    put("x/y/z.mp3");
    await listed(["x/y.mp3", "x/y/z.mp3"]);
    fs.rmSync(library.folder, { recursive: true });
    await listed([]);
    put("again.mp3");
    await listed(["again.mp3"]);
  });
});

test("a library fails to open if its path cannot become a folder", () => {
  expect(Library.open(join(folder.path, "secret", "below"), openLog("test"))).rejects.toThrow(
    "cannot be used",
  );
});
