import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { entryOf } from "../../../testing/fixtures/recording-entry.ts";
import { temporaryFolder } from "../../../testing/fixtures/temporary-folder.ts";
import { RecordingKeeper } from "../keeper.ts";
import { SqliteCatalog } from "../../streams/sqlite/catalog.ts";
import { readEvicted } from "./note.ts";

let folder: ReturnType<typeof temporaryFolder>;
let catalog: SqliteCatalog;
let keeper: RecordingKeeper;
const name = "mic/stream_1_mic_20260102_030405";

beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder.path, "mic"));
  open();
});
afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

/** A catalog that knows nothing. */
function open(): void {
  catalog = new SqliteCatalog(":memory:");
  catalog.archive.use("s3://bucket/@aws");
  keeper = new RecordingKeeper(catalog, async () => true);
}

const pathOf = (extension: string) => join(folder.path, `${name}.${extension}`);

function enter({ isArchived }: { isArchived: boolean }): number {
  for (const extension of ["bin", "wav"]) writeFileSync(pathOf(extension), "");
  const id = catalog.recordings.enter(entryOf(name));
  if (isArchived) for (const item of catalog.archive.due(0, 10, [])) catalog.archive.archived(item);
  return id;
}

const evict = (id: number) => keeper.evict({ folder: folder.path, ids: [id] });
const repair = () => keeper.repair({ folder: folder.path, names: null });

test("Samples go only if the archive has them, and leave a file that says where they are", async () => {
  expect(await evict(enter({ isArchived: false }))).toEqual({ count: 0, bytes: 0 });
  expect([existsSync(pathOf("wav")), existsSync(pathOf("archived"))]).toEqual([true, false]);
  const id = enter({ isArchived: true });
  expect(await evict(id)).toEqual({ count: 1, bytes: 32_044 });
  expect([existsSync(pathOf("wav")), existsSync(pathOf("archived"))]).toEqual([false, true]);
  const { archive } = catalog.recordings.find(id)!;
  expect(archive!.isLocal).toBe(false);
  expect(readEvicted(folder.path, name)).toMatchObject({ key: archive!.key, entry: { name } });
  expect(await evict(id)).toEqual({ count: 0, bytes: 0 });
});

test("A catalog that knows nothing gets an evicted recording from its file, under the key that it has", async () => {
  const id = enter({ isArchived: true });
  const { key } = catalog.recordings.find(id)!.archive!;
  await evict(id);
  catalog.close();
  open();
  expect(await repair()).toMatchObject({ entered: 1, damaged: [] });
  const [row] = catalog.recordings.after(0, 10);
  expect(row).toMatchObject({ name, samples: 16_000, archive: { key, isLocal: false } });
  expect(catalog.archive.due(0, 10, [])).toEqual([]);
});

test("A file that was cut off says nothing, and the recording is left alone", async () => {
  await evict(enter({ isArchived: true }));
  const text = readFileSync(pathOf("archived"), "utf8");
  catalog.close();
  open();
  writeFileSync(pathOf("bin"), "no frames");
  for (const length of [0, 10, text.length - 1]) {
    writeFileSync(pathOf("archived"), text.slice(0, length));
    expect(readEvicted(folder.path, name)).toBeUndefined();
  }
  expect(await repair()).toMatchObject({ entered: 0, damaged: [name] });
});

test("The file goes with the recording", async () => {
  const id = enter({ isArchived: true });
  await evict(id);
  keeper.remove({ folder: folder.path, what: id, limit: 1 });
  expect(["bin", "wav", "archived"].map((extension) => existsSync(pathOf(extension)))).toEqual([
    false,
    false,
    false,
  ]);
});

test("Samples that are here after all count as here again, and those that somebody removed as evicted", async () => {
  const id = enter({ isArchived: true });
  const isLocal = async () => {
    await keeper.find({ folder: folder.path, id });
    return catalog.recordings.find(id)!.archive!.isLocal;
  };
  catalog.archive.recordings.setLocal(id, false);
  expect(await isLocal()).toBe(true);
  for (const extension of ["bin", "wav"]) rmSync(pathOf(extension));
  expect(await isLocal()).toBe(false);
  expect(await keeper.find({ folder: folder.path, id })).toMatchObject({ missing: ["bin"] });
});
