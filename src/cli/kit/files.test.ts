import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CliError } from "./failures.ts";
import { defaultOutput, isSameFile, openSource } from "./files.ts";
import { OutputFile } from "./output-file.ts";

let folder = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wavecache-cli-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => "it succeeded",
    (reason: unknown) => reason,
  );
  if (error instanceof CliError) return error.message;
  throw new Error(`expected a CliError, got: ${String(error)}`);
}

describe("a file to upload", () => {
  test("is read at any offset, repeatedly, and short at its end", async () => {
    const path = join(folder, "in");
    writeFileSync(path, "0123456789");
    const source = await openSource(path);
    expect(source.sizeBytes).toBe(10);
    expect(Buffer.from(await source.read(4, 3)).toString()).toBe("456");
    expect(Buffer.from(await source.read(0, 10)).toString()).toBe("0123456789");
    expect(Buffer.from(await source.read(8, 5)).toString()).toBe("89");
    await source.close();
  });

  test("must have a path, exist and be a regular file", async () => {
    expect(await refusal(openSource(""))).toBe("the input path is empty");
    expect(await refusal(openSource(join(folder, "none")))).toContain("no such file or folder: ");
    expect(await refusal(openSource(folder))).toContain("is a folder: ");
    expect(await refusal(openSource("/dev/null"))).toBe("is not a regular file: /dev/null");
    expect(await refusal(openSource(join(folder, "x".repeat(300))))).toContain("the name is too long");
  });
});

describe("an output file", () => {
  test("appears under its name only when it is complete, and creates missing folders", async () => {
    const path = join(folder, "deep", "er", "out");
    const file = await OutputFile.create(path);
    file.write(Buffer.from("abc"));
    expect(readdirSync(join(folder, "deep", "er")).join()).toMatch(/^\.wavecache-[0-9a-f]{12}\.part$/);
    file.write(Buffer.from("def"));
    await file.commit();
    await file.discard();
    expect(readdirSync(join(folder, "deep", "er"))).toEqual(["out"]);
    expect(readFileSync(path, "utf8")).toBe("abcdef");
  });

  test("leaves nothing behind when it is discarded, and keeps an older file", async () => {
    const path = join(folder, "kept", "old");
    const first = await OutputFile.create(path);
    first.write(Buffer.from("old"));
    await first.commit();
    const second = await OutputFile.create(path);
    second.write(Buffer.from("new"));
    await second.discard();
    expect(readdirSync(join(folder, "kept"))).toEqual(["old"]);
    expect(readFileSync(path, "utf8")).toBe("old");
  });

  test("replaces the target of a link, and keeps the link", async () => {
    const target = join(folder, "target");
    const link = join(folder, "link");
    writeFileSync(target, "old");
    symlinkSync(target, link);
    const file = await OutputFile.create(link);
    file.write(Buffer.from("new"));
    await file.commit();
    expect(readlinkSync(link)).toBe(target);
    expect(readFileSync(target, "utf8")).toBe("new");
  });

  test("writes into a device, and never replaces it", async () => {
    const file = await OutputFile.create("/dev/null");
    file.write(Buffer.from("x"));
    await file.commit();
    expect(await Bun.file("/dev/null").stat()).toMatchObject({ size: 0 });
    expect((await Bun.file("/dev/null").stat()).isCharacterDevice()).toBe(true);
  });

  test("must have a path and not be a folder", async () => {
    expect(await refusal(OutputFile.create(""))).toBe("the output path is empty");
    expect(await refusal(OutputFile.create(folder))).toContain("the output is a folder");
    expect(await refusal(OutputFile.create(join(folder, "new/")))).toContain("the output is a folder");
    expect(await refusal(OutputFile.create("/proc/nothing/here"))).toContain("/proc/nothing/here");
  });
});

test("a default output has the time and only safe characters of the name", () => {
  const now = new Date("2025-01-31T09:05:00.123Z");
  expect(defaultOutput("song.mp3", now)).toBe("audio/output/output-20250131-090500-123-song.mp3");
  expect(defaultOutput("../\u001b[2Ja\nb", now)).toBe("audio/output/output-20250131-090500-123-__2Ja_b");
  expect(Buffer.from(defaultOutput(`${"é".repeat(200)}.mp3`, now)).length).toBeLessThan(255);
});

test("two paths are the same file if links lead to one", async () => {
  const path = join(folder, "same");
  writeFileSync(path, "");
  symlinkSync(path, join(folder, "same-link"));
  expect(await isSameFile(path, join(folder, "same-link"))).toBe(true);
  expect(await isSameFile(path, join(folder, "none"))).toBe(false);
  expect(await isSameFile(path, folder)).toBe(false);
});
