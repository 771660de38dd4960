import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { finishOf } from "../journal/entry.ts";
import { Journal } from "../journal/journal.ts";
import { CacheLayout } from "../layout.ts";
import { recover } from "../streams/recover.ts";
import { SqliteCatalog } from "../streams/sqlite/catalog.ts";
import { StoreCheck } from "./check.ts";
import { CheckContext } from "./context.ts";
import { Drift } from "./drift.ts";
import { notePosition } from "./journal-pass.ts";
import { LostFound } from "./lost-found.ts";
import { Pace } from "./pace.ts";

let folder: ReturnType<typeof temporaryFolder>;
let layout: CacheLayout;
let catalog: SqliteCatalog;
let nowMs = 0;

beforeEach(() => {
  folder = temporaryFolder();
  layout = new CacheLayout(folder.path);
  layout.create();
  openCatalog();
});

afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

function openCatalog(): void {
  catalog = new SqliteCatalog(layout.catalog, () => nowMs);
}

const boot = { id: "first", startedAt: 1 };
const digest = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");

function object(text: string): string {
  const sha256 = digest(text);
  fs.mkdirSync(layout.objectFolder(sha256), { recursive: true });
  fs.writeFileSync(layout.objectPath(sha256), text);
  return sha256;
}

function finished(streamId: string, text: string): string {
  const sha256 = object(text);
  catalog.reserve(streamId, `key-${streamId}`, 1);
  catalog.seal({ streamId, size: text.length, sha256, format: null }, 1);
  catalog.finish(streamId, 1);
  return sha256;
}

function unfinished(streamId: string, text: string): void {
  catalog.reserve(streamId, `key-${streamId}`, 1);
  fs.writeFileSync(layout.incomingPath(`key-${streamId}`), text);
}

/** A check as a start runs it. */
function start(signal = new AbortController().signal) {
  recover(layout, catalog, boot, 2);
  const drift = new Drift(catalog);
  const journal = new Journal(layout.journal);
  const store = {
    layout,
    catalog,
    journal,
    drift,
    lostFound: new LostFound(layout, catalog),
    keyPrefix: "run",
  };
  const check = new StoreCheck(new CheckContext(store, new Pace(signal)));
  return { check, drift, done: check.run(signal) };
}

async function runCheck() {
  const { check, drift, done } = start();
  await done;
  return { ...check.report(), drift: drift.take() };
}

const setAside = () =>
  fs
    .readdirSync(layout.lostFound, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath.split("/").at(-1)}/${entry.name}`)
    .toSorted();

describe("the check of a store", () => {
  test("finds nothing to do in a store that is in order", async () => {
    finished("one", "same");
    finished("two", "same");
    finished("empty", "");
    const { state, figures, damaged, failures } = await runCheck();
    expect({ state, damaged, failures }).toEqual({ state: "done", damaged: [], failures: [] });
    expect(figures).toMatchObject({ checkedObjects: 2, orphanFiles: 0, settledRows: 0 });
    expect(fs.existsSync(layout.lostFound)).toBe(false);
  });

  test("settles unfinished streams, and tells how the totals change by that", async () => {
    for (let index = 0; index < 450; index++) unfinished(`s${index}`, "12345");
    unfinished("lost", "?");
    fs.unlinkSync(layout.incomingPath("key-lost"));
    const { figures, drift } = await runCheck();
    expect(figures).toMatchObject({ settledRows: 451, removedRows: 1, cutBytes: 0 });
    expect(drift).toMatchObject({ unfinished: -1, unfinishedBytes: 2250, finished: 0 });
    expect(catalog.totals()).toMatchObject({ unfinished: 450, unfinishedBytes: 2250 });
    expect(catalog.unsettled("", 1)).toEqual([]);
  });

  test("sets aside, and does not delete, what no row accounts for", async () => {
    const kept = finished("kept", "kept");
    unfinished("kept too", "kept too");
    fs.writeFileSync(layout.incomingPath("orphan"), "one");
    fs.writeFileSync(layout.incomingPath("run-of-an-upload-that-starts"), "two");
    const orphan = object("three");
    fs.mkdirSync(`${layout.objects}/ff`, { recursive: true });
    fs.writeFileSync(`${layout.objects}/ff/${kept}`, "in the wrong folder");
    fs.writeFileSync(`${layout.objects}/stray`, "in no folder");
    const { figures, failures } = await runCheck();
    expect(failures).toEqual([]);
    expect(figures).toMatchObject({ orphanFiles: 4, orphanBytes: 39 });
    expect(setAside()).toEqual(
      ["incoming/orphan", "objects/stray", `objects/${orphan}`, `objects/${kept}`].toSorted(),
    );
    expect(fs.readFileSync(layout.objectPath(kept), "utf8")).toBe("kept");
    expect(fs.readdirSync(layout.incoming).toSorted()).toEqual([
      "key-kept too",
      "run-of-an-upload-that-starts",
    ]);
  });

  test("keeps both of two orphans of the same name", async () => {
    for (const text of ["one", "another"]) {
      fs.writeFileSync(layout.incomingPath("orphan"), text);
      await runCheck();
    }
    expect(setAside()).toEqual(["incoming/orphan", "incoming/orphan.1"]);
  });

  test("leaves an orphan where it is if it cannot be set aside, and says so", async () => {
    fs.writeFileSync(layout.incomingPath("orphan"), "one");
    fs.writeFileSync(layout.lostFound, "a file");
    const { state, failures, figures } = await runCheck();
    expect({ state, orphans: figures.orphanFiles }).toEqual({ state: "done", orphans: 0 });
    expect(failures).toHaveLength(1);
    expect(fs.readdirSync(layout.incoming)).toEqual(["orphan"]);
  });

  test("reports finished streams whose object is missing or has another size, and keeps their rows", async () => {
    fs.unlinkSync(layout.objectPath(finished("missing", "12345")));
    fs.truncateSync(layout.objectPath(finished("short", "1234567")), 3);
    finished("whole", "123");
    const { damaged, figures } = await runCheck();
    expect(damaged.toSorted()).toEqual(["missing", "short"]);
    expect(figures.damagedStreams).toBe(2);
    expect(catalog.find("missing")!.state).toBe("finished");
  });

  test("does not take an object for an orphan while its stream is being committed", async () => {
    for (let index = 0; index < 300; index++) finished(`s${index}`, `audio ${index}`);
    const { done } = start();
    // As commitGroup does, in one turn of the event loop, at some moment of the check.
    for (let index = 0; index < 100; index++) {
      await Bun.sleep(0);
      finished(`new ${index}`, `new audio ${index}`);
    }
    await done;
    expect(fs.existsSync(layout.lostFound)).toBe(false);
    expect((await runCheck()).figures).toMatchObject({ checkedObjects: 400, damagedStreams: 0 });
  });

  test("continues at the folder where an earlier check was interrupted, and gets round to all", async () => {
    for (let index = 0; index < 600; index++) finished(`s${index}`, `audio ${index}`);
    const abort = new AbortController();
    const { check, done } = start(abort.signal);
    while (check.report().figures.checkedObjects < 200) await Bun.sleep(0);
    abort.abort();
    await done;
    expect(check.report().state).toBe("running");
    const next = catalog.meta("check_folder");
    expect(next).toMatch(/^[0-9a-f]{2}$/);
    expect((await runCheck()).figures.checkedObjects).toBe(600);
    expect(catalog.meta("check_folder")).toBeUndefined();
  });
});

describe("the check of a store whose catalog is an older copy", () => {
  const journaled = (streamId: string, text: string) => ({
    streamId,
    key: `key-${streamId}`,
    sha256: digest(text),
    size: text.length,
    format: null,
    metadata,
    audio: null,
    createdAt: 4,
    finishedAt: 5,
  });
  const metadata = { contentType: "audio/x", format: undefined, tags: { a: "b" } };

  test("enters the streams again that the journal knows, also those that share an object", async () => {
    finished("one", "same");
    object("lost");
    const journal = new Journal(layout.journal);
    for (const [id, text] of [
      ["one", "same"],
      ["same-audio", "same"],
      ["lost", "lost"],
      ["gone", "removed later"],
    ] as const)
      journal.append([finishOf(journaled(id, text))]);
    object("removed later, of a crash");
    const { figures, drift } = await runCheck();
    expect(figures).toMatchObject({ enteredStreams: 2, orphanFiles: 1 });
    expect(drift).toMatchObject({ finished: 2, objects: 1, objectBytes: 4 });
    expect(catalog.find("lost")).toMatchObject({ state: "finished", metadata, createdAt: 4, finishedAt: 5 });
    expect(catalog.find("same-audio")).toMatchObject({ state: "finished", size: 4 });
    expect(catalog.find("gone")).toBeUndefined();
  });

  test("enters streams also if only their rows are gone", async () => {
    const journal = new Journal(layout.journal);
    finished("x", "audio");
    journal.append([finishOf(journaled("x", "audio"))]);
    notePosition(catalog, journal.position);
    catalog.remove("x");
    expect((await runCheck()).figures).toMatchObject({ enteredStreams: 1, orphanFiles: 0 });
    expect(catalog.find("x")!.state).toBe("finished");
  });

  test("forgets the streams that the journal knows to be removed, and no others", async () => {
    finished("kept", "same");
    finished("removed", "same");
    fs.unlinkSync(layout.objectPath(finished("removed-with-its-object", "other")));
    fs.unlinkSync(layout.objectPath(finished("damaged", "third")));
    finished("again", "fourth");
    const journal = new Journal(layout.journal);
    journal.append(
      [
        ["removed", "key-removed"],
        ["again", "key-of-an-earlier-upload"],
      ].map(([streamId, key]) => ({
        remove: { streamId: streamId!, key: key! },
      })),
    );
    const { figures, damaged } = await runCheck();
    expect(figures).toMatchObject({ forgottenStreams: 1, orphanFiles: 0 });
    expect(damaged.toSorted()).toEqual(["damaged", "removed-with-its-object"]);
    expect(["kept", "removed", "again"].map((id) => catalog.find(id)?.state)).toEqual([
      "finished",
      undefined,
      "finished",
    ]);
  });

  test("gives an object under an id that has another stream by now to lost and found", async () => {
    finished("x", "new");
    object("old");
    new Journal(layout.journal).append([finishOf({ ...journaled("x", "old"), key: "old-key" })]);
    expect((await runCheck()).figures).toMatchObject({ enteredStreams: 0, orphanFiles: 1 });
    expect(catalog.find("x")).toMatchObject({ size: 3, sha256: digest("new") });
  });

  test("reads no journal that the catalog is in step with", async () => {
    const journal = new Journal(layout.journal);
    journal.append([finishOf(journaled("x", "audio"))]);
    notePosition(catalog, journal.position);
    fs.writeFileSync(`${layout.root}/journal-index.tmp`, "not overwritten");
    finished("y", "other");
    expect((await runCheck()).figures.enteredStreams).toBe(0);
    expect(fs.existsSync(`${layout.root}/journal-index.tmp`)).toBe(true);
  });
});

describe("lost and found", () => {
  const dayMs = 24 * 3_600_000;

  test("is removed after its days of running time, whatever the wall clock says", async () => {
    const lostFound = new LostFound(layout, catalog);
    fs.writeFileSync(layout.incomingPath("orphan"), "one");
    await runCheck();
    const [day] = fs.readdirSync(layout.lostFound);
    fs.renameSync(join(layout.lostFound, day!), join(layout.lostFound, "19990101"));
    expect(await lostFound.expire(30 * dayMs)).toEqual([]);
    nowMs += 29 * dayMs;
    expect(await lostFound.expire(30 * dayMs)).toEqual([]);
    nowMs += dayMs;
    expect(await lostFound.expire(30 * dayMs)).toEqual(["19990101"]);
    expect(fs.readdirSync(layout.lostFound)).toEqual([]);
  });

  test("keeps what it does not know, and starts to count again after the catalog was lost", async () => {
    const lostFound = new LostFound(layout, catalog);
    fs.mkdirSync(join(layout.lostFound, "20260101"), { recursive: true });
    fs.mkdirSync(join(layout.lostFound, "#1234"));
    nowMs += 29 * dayMs;
    await lostFound.expire(30 * dayMs);
    catalog.setMeta("lost+found/20260101", String(catalog.runningMs() + dayMs));
    nowMs += 2;
    expect(await lostFound.expire(dayMs)).toEqual([]);
    nowMs += dayMs;
    expect(await lostFound.expire(dayMs)).toEqual(["20260101"]);
    expect(fs.readdirSync(layout.lostFound)).toEqual(["#1234"]);
  });
});
