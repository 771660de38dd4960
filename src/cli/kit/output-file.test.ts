import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { OutputFile } from "./output-file.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A process that has ended. */
async function deadPid(): Promise<number> {
  const child = Bun.spawn(["true"]);
  await child.exited;
  return child.pid;
}

/** Leaves what a process that was killed while it wrote `text` to `path` leaves. */
async function interrupt(path: string, contentId: string, text: string): Promise<void> {
  const file = await OutputFile.create(path, { contentId });
  file.write(bytes(text));
  file.release();
  const name = readdirSync(join(path, "..")).find((each) => each.endsWith(`.${process.pid}.part`));
  const left = join(path, "..", name ?? "");
  writeFileSync(left.replace(`.${process.pid}.`, `.${await deadPid()}.`), readFileSync(left));
  await Bun.file(left).delete();
}

test("an interrupted file goes on where it was, if name and content are the same", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.wav");
  await interrupt(path, "content", "first ");
  for (const [name, contentId] of [
    ["a.wav", "other"],
    ["b.wav", "content"],
    ["a.wav", undefined],
  ] as const) {
    const other = await OutputFile.create(join(folder.path, name), { contentId });
    expect(other.keptBytes).toBe(0);
    await other.discard();
  }
  const file = await OutputFile.create(path, { contentId: "content" });
  expect(file.keptBytes).toBe(6);
  const kept: string[] = [];
  file.readKept((offset, block) => kept.push(`${offset} ${Buffer.from(block).toString()}`));
  expect(kept).toEqual(["0 first "]);
  file.write(bytes("second"));
  await file.commit();
  await file.discard();
  expect(readFileSync(path, "utf8")).toBe("first second");
  expect(readdirSync(folder.path)).toEqual(["a.wav"]);
});

test("a file of a living process is never taken over", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.wav");
  await interrupt(path, "content", "abc");
  const [name = ""] = readdirSync(folder.path);
  const living = join(folder.path, name.replace(/\d+\.part$/, `${process.ppid}.part`));
  writeFileSync(living, "abc");
  await Bun.file(join(folder.path, name)).delete();
  const file = await OutputFile.create(path, { contentId: "content" });
  expect(file.keptBytes).toBe(0);
  await file.discard();
  expect(readFileSync(living, "utf8")).toBe("abc");
});

test("what was kept can be emptied, and an empty file is not kept", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.wav");
  await interrupt(path, "content", "wrong");
  const file = await OutputFile.create(path, { contentId: "content" });
  file.restart();
  expect(file.keptBytes).toBe(0);
  file.release();
  await file.discard();
  expect(readdirSync(folder.path)).toEqual([]);
});

test("an existing file is only replaced if that is allowed", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "a.wav");
  writeFileSync(path, "old");
  expect(OutputFile.create(path, { mayReplace: false })).rejects.toThrow(`there is a file already: ${path}`);
  const file = await OutputFile.create("/dev/null", { mayReplace: false });
  await file.discard();
});
