/** What nodes leave each other in a catalog that they share. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { postgresKind } from "../../testing/harness/catalogs.ts";
import { postgresPrograms } from "../../testing/harness/servers/postgres.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { CacheLayout } from "../layout.ts";
import { replaceJournal } from "../check/journal-pass.ts";
import { type JournalEntry, parseLine } from "../journal/entry.ts";
import { Journal } from "../journal/journal.ts";
import { readJournal } from "../journal/reader.ts";
import { commitGroup } from "../streams/commit.ts";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { noMetadata } from "../streams/metadata.ts";
import type { AbandonedQuery } from "./abandoned.ts";
import { workOffStreams } from "./stream-tasks.ts";

const open: Disposable[] = [];
afterEach(() => {
  for (const each of open.splice(0).toReversed()) each[Symbol.dispose]();
});

const a64 = "a".repeat(64);
const facts = { format: null, metadata: noMetadata, audio: null, createdAt: 1, finishedAt: 10, size: 5 };

const recording = {
  device: "hall",
  streamId: 7,
  codec: "pcm",
  sampleRate: 16_000,
  channels: 1,
  startedAt: 1000,
  endedAt: 2000,
  frames: 50,
  samples: 16_000,
  gaps: 0,
  lostFrames: 0,
  nibbleOrder: null,
  nibbleOrderBy: null,
  bin: { bytes: 10, sha256: "b".repeat(64) },
  wav: { bytes: 20, sha256: a64 },
} as const;

function enter(catalog: SqlCatalog, streamId: string, key = `key-${streamId}`): boolean {
  return catalog.enter({ ...facts, streamId, key, sha256: a64 });
}

function openNodes() {
  const place = postgresKind.create();
  open.push(place);
  const openNode = (node: string) => {
    const catalog = place.open({ node });
    open.push({ [Symbol.dispose]: () => catalog.abandon() });
    return catalog;
  };
  return { a: openNode("a"), b: openNode("b"), openNode, expireLease: place.expireLease };
}

describe.skipIf(postgresPrograms === undefined)("nodes of one catalog", () => {
  test("leave a task to the node whose stream they remove, and none to themselves", () => {
    const { a, b } = openNodes();
    enter(a, "x");
    enter(a, "own");
    const before = a.totals();
    expect(b.removeFinished([{ streamId: "x", key: "another" }], true)).toEqual([]);
    expect(b.removeFinished([{ streamId: "x", key: "key-x" }], true)).toEqual(["x"]);
    expect(b.removeFinished([{ streamId: "x", key: "key-x" }], true)).toEqual([]);
    a.remove("own");
    const [task, ...others] = a.tasks.ofStreams(10);
    expect(task).toMatchObject({ kind: "stream", streamId: "x", key: "key-x", sha256: a64 });
    expect([others, b.tasks.ofStreams(10)]).toEqual([[], []]);
    expect([before.finished, a.totals().finished]).toEqual([2, 0]);
  });

  test("do not let a removed stream come back before its node has worked off the task", () => {
    const { a, b } = openNodes();
    enter(a, "x");
    b.removeFinished([{ streamId: "x", key: "key-x" }], true);
    expect(enter(a, "x")).toBe(false);
    expect(a.find("x")).toBeUndefined();
    // Another upload of the id is another stream.
    expect(enter(a, "x", "later")).toBe(true);
    expect(b.removeFinished([{ streamId: "x", key: "later" }], true)).toEqual(["x"]);
    a.tasks.done(a.tasks.ofStreams(10));
    expect(a.tasks.ofStreams(10)).toEqual([]);
  });

  test("have their own streams in their journals, and no others", async () => {
    const { a, b } = openNodes();
    for (const streamId of ["one", "three"]) enter(a, streamId);
    for (const streamId of ["four", "two"]) enter(b, streamId);
    using folder = temporaryFolder();
    const layout = new CacheLayout(folder.path);
    layout.create();
    const journal = new Journal(layout.journal);
    await replaceJournal({ catalog: a, journal });
    await journal.close();
    const lines = (await Array.fromAsync(readJournal(layout.journal))).flat();
    const entries = lines.map((line) => parseLine(line)).filter((entry) => entry !== undefined);
    const ids = entries.flatMap((entry) => ("finish" in entry ? [entry.finish.streamId] : []));
    expect(ids).toEqual(["one", "three"]);
  });

  test("do not acknowledge an upload that another one takes over during its commit", async () => {
    const { a, b } = openNodes();
    using folder = temporaryFolder();
    const layout = new CacheLayout(folder.path);
    layout.create();
    const journal = new Journal(layout.journal);
    writeFileSync(layout.incomingPath("k"), "audio");
    a.reserve("x", "k", 1);
    const transaction = a.transaction.bind(a);
    a.transaction = (change, durable) => {
      const result = transaction(change, durable);
      const row = b.find("x")!;
      if (row.state === "sealed") b.takeOver(row, "k2", 2);
      return result;
    };
    const item = { streamId: "x", key: "k", size: 5, sha256: a64, format: null };
    const [outcome] = await commitGroup({ layout, catalog: a, journal }, [item], 3);
    expect(outcome).toHaveProperty("error.code", "STREAM_TAKEN_OVER");
    expect(b.find("x")).toMatchObject({ state: "unfinished", key: "k2" });
    await journal.close();
  });

  test("keep what another one has pinned at the same time", () => {
    const { a, b } = openNodes();
    enter(a, "x");
    b.retention.pinStream("x", true);
    expect(a.removeFinished([{ streamId: "x", key: "key-x" }], false)).toEqual([]);
    expect(a.removeFinished([{ streamId: "x", key: "key-x" }], true)).toEqual(["x"]);
  });

  test("remove what a dead node has left by age, once, and nothing of a node that lives", () => {
    const { a, b, openNode, expireLease } = openNodes();
    const c = openNode("c");
    for (const streamId of ["x", "y", "pinned"]) enter(a, streamId);
    a.retention.pinStream("pinned", true);
    const query: AbandonedQuery = { kind: "streams", before: 11, after: null, limit: 10 };
    const ids = (catalog: SqlCatalog, before = query.before) =>
      catalog.abandoned.candidates({ ...query, before }).map(({ id }) => id);
    expect([ids(b), b.abandoned.removeStream({ streamId: "x", key: "key-x" })]).toEqual([[], false]);
    expireLease("a");
    expect([ids(b), ids(b, 10)]).toEqual([["x", "y"], []]);
    const [first] = b.abandoned.candidates({ ...query, limit: 1 });
    const after = { at: first!.madeAt, id: first!.id };
    expect(b.abandoned.candidates({ ...query, after }).map(({ id }) => id)).toEqual(["y"]);
    b.transaction(() => {
      expect(b.abandoned.removeStream({ streamId: "x", key: "key-x" })).toBe(true);
      // The row is locked: nobody waits for it.
      expect(c.abandoned.removeStream({ streamId: "x", key: "key-x" })).toBe(false);
    }, false);
    expect(b.abandoned.removeStream({ streamId: "pinned", key: "key-pinned" })).toBe(false);
    expect(ids(c)).toEqual(["y"]);
  });

  test("remove recordings of a dead node, unless they or their time are pinned", () => {
    const { a, b, expireLease } = openNodes();
    const enterRecording = (name: string, device: string) =>
      a.recordings.enter({ ...recording, placement: placementOf(name), name, device });
    const [plain, pinned, inRange] = ["hall", "attic", "porch"].map((device) =>
      enterRecording(`${device}/1`, device),
    );
    b.retention.pinRecording(pinned!, true);
    b.retention.pinRange({ device: "porch", from: 0, to: 1_500 }, true);
    expireLease("a");
    const query: AbandonedQuery = { kind: "recordings", before: 3_000, after: null, limit: 10 };
    expect(b.abandoned.candidates(query).map(({ id, name }) => [id, name])).toEqual([[plain!, "hall"]]);
    const removed = [plain, pinned, inRange].map((id) =>
      b.transaction(() => b.abandoned.removeRecording(id!), true, ["a"]),
    );
    expect(removed).toEqual([true, false, false]);
    expect(b.recordings.find(plain!)).toBeUndefined();
  });

  test("remove uploads of nodes that have been dead for long enough, and fence those", () => {
    const { a, b, openNode, expireLease } = openNodes();
    a.reserve("begun", "k", 1);
    expect(b.abandoned.uploads(0, 10)).toEqual([]);
    expireLease("a");
    expect(b.abandoned.uploads(60_000, 10)).toEqual([]);
    const [row] = b.abandoned.uploads(0, 10);
    expect(b.transaction(() => b.abandoned.removeUpload(row!), true, ["a"])).toBe(true);
    expect(() => a.reserve("another", "k2", 1)).toThrow();
    expect(openNode("a").tasks.ofStreams(10)).toMatchObject([
      { kind: "upload", streamId: "begun", key: "k" },
    ]);
  });

  test("work off a removal: the object goes unless another stream has it, and the journal knows", async () => {
    const { a, b } = openNodes();
    const folder = temporaryFolder();
    open.push(folder);
    const layout = new CacheLayout(folder.path);
    layout.create();
    const path = layout.objectPath(a64);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "audio");
    writeFileSync(layout.incomingPath("key-begun"), "audio");
    const entries: JournalEntry[] = [];
    const journal = { append: (added: JournalEntry[]) => void entries.push(...added), sync: async () => {} };
    for (const streamId of ["x", "y"]) enter(a, streamId);
    b.removeFinished([{ streamId: "x", key: "key-x" }], true);
    const store = { layout, catalog: a, journal };
    expect(await workOffStreams(store, 10)).toEqual({ streamIds: ["x"], sha256s: [], isLast: true });
    expect(existsSync(path)).toBe(true);
    b.removeFinished([{ streamId: "y", key: "key-y" }], true);
    expect(await workOffStreams(store, 1)).toEqual({ streamIds: ["y"], sha256s: [a64], isLast: false });
    expect(existsSync(path)).toBe(false);
    expect(entries).toEqual(["x", "y"].map((streamId) => ({ remove: { streamId, key: `key-${streamId}` } })));
    expect(a.tasks.ofStreams(10)).toEqual([]);
  });

  test("leave a task with the name of a recording, which its repair finds", () => {
    const { a, b } = openNodes();
    const id = a.recordings.enter({ ...recording, placement: placementOf("hall/1"), name: "hall/1" });
    expect(a.tasks.isRecordingRemoved("hall/1")).toBe(false);
    expect([b.recordings.removeAnywhere(id), b.recordings.removeAnywhere(id)]).toEqual([true, false]);
    expect(a.tasks.ofRecordings(10)).toMatchObject([{ name: "hall/1" }]);
    expect([a.tasks.isRecordingRemoved("hall/1"), b.tasks.isRecordingRemoved("hall/1")]).toEqual([
      true,
      false,
    ]);
  });
});
