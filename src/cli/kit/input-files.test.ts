import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { listFiles } from "./input-files.ts";

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
    const { files, unreadable } = await listFiles([join(path, "one.wav"), join(path, "music")]);
    expect(unreadable).toEqual([]);
    expect(files.map(({ name }) => name)).toEqual(["one.wav", "a.wav", "b.wav", "sub/c.wav", "sub/d.wav"]);
    const root = basename(path);
    expect(files.map(({ fullName }) => fullName)).toEqual([
      `${root}/one.wav`,
      "music/a.wav",
      "music/b.wav",
      "music/sub/c.wav",
      "music/sub/d.wav",
    ]);
    expect(files.map(({ sizeBytes }) => sizeBytes)).toEqual([7, 11, 11, 15, 7]);
  });

  test("must exist", async () => {
    const outcome = listFiles(["/nowhere/at all"]);
    expect(outcome).rejects.toThrow("no such file or folder: /nowhere/at all");
  });

  test("that cannot be read are named, and do not hide the others", async () => {
    using folder = temporaryFolder();
    const music = join(folder.path, "music");
    const deep = join(music, "deep/".repeat(33));
    mkdirSync(deep, { recursive: true });
    for (const name of ["a.wav", "deep/b.wav", "z.wav"]) writeFileSync(join(music, name), name);
    writeFileSync(join(deep, "too-deep.wav"), "");
    writeFileSync(Buffer.concat([Buffer.from(`${music}/latin-`), Buffer.of(0xe9), Buffer.from(".wav")]), "");
    symlinkSync("/nowhere/old.wav", join(music, "gone.wav"));
    symlinkSync("loop.wav", join(music, "loop.wav"));
    symlinkSync("../z.wav/x", join(music, "deep/through-a-file.wav"));
    const { files, unreadable } = await listFiles([music, join(music, "gone.wav")]);
    expect(files.map(({ name }) => name)).toEqual(["a.wav", "deep/b.wav", "z.wav"]);
    const reasons = unreadable.map(({ path, error }) => [path, String(error).split(":")[1]?.trim()]);
    expect(reasons).toEqual([
      [join(music, "deep/".repeat(32)).slice(0, -1), "folders are nested too deeply"],
      [join(music, "deep/through-a-file.wav"), "part of the path is not a folder"],
      [join(music, "gone.wav"), "the link leads to nothing"],
      [join(music, "latin-\ufffd.wav"), "the name is not UTF-8"],
      [join(music, "loop.wav"), "the symbolic links of the path form a loop"],
      [join(music, "gone.wav"), "the link leads to nothing"],
    ]);
    for (const { path, error } of unreadable) expect(String(error)).toContain(path);
  });
});
