/** The facts of the keeper as the outbox has them, with the real keeper and files. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { until } from "../../testing/harness/until.ts";
import { Keeper } from "../keeper.ts";
import type { Answer, KeeperArgs, KeeperCall, KeeperResult } from "../keeper-calls.ts";
import { CacheLayout } from "../layout.ts";
import { noMetadata } from "../streams/metadata.ts";
import type { EventRow } from "./outbox.ts";
import { eventTypes } from "./types.ts";

let folder: ReturnType<typeof temporaryFolder>;
let keeper: Keeper;
let answers: Map<number, Answer>;
let serial = 0;
let announced: number[];
const metadata = { ...noMetadata, tags: { name: "song.wav" } };
const sha256 = "a".repeat(64);

beforeEach(() => {
  folder = temporaryFolder();
  open();
});

afterEach(async () => {
  await keeper.close();
  folder[Symbol.dispose]();
});

function open(): void {
  answers = new Map();
  announced = [];
  const cacheDir = join(folder.path, "cache");
  const args = {
    cacheDir,
    catalog: null,
    keyPrefix: "k",
    keepOrphans: false,
    isReopened: false,
    afterFault: false,
    archive: undefined,
  };
  const openArgs = { ...args, at: Date.now() };
  keeper = new Keeper(openArgs, {
    syncFileSystem: () => Promise.resolve(false),
    reply: (number, answer) => void answers.set(number, answer),
    notify: () => undefined,
    report: () => undefined,
    announce: (newest) => void announced.push(newest),
    changed: () => undefined,
    clockDiffers: () => undefined,
    failed: () => undefined,
  });
  keeper.open(openArgs);
}

async function call<C extends KeeperCall>(name: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
  serial += 1;
  keeper.handle([{ serial, call: name, args }]);
  const answer = await until(`the answer to ${name}`, 5_000, () => answers.get(serial));
  if ("error" in answer) throw answer.error;
  return answer.result as KeeperResult<C>;
}

async function reserve(streamId: string, bytes = 4): Promise<void> {
  await call("reserve", { streamId, key: `k-${streamId}`, metadata, account: null, at: 1_000 });
  writeFileSync(new CacheLayout(join(folder.path, "cache")).incomingPath(`k-${streamId}`), "x".repeat(bytes));
}

async function finish(streamId: string): Promise<void> {
  await reserve(streamId);
  await call("finish", { streamId, key: `k-${streamId}`, size: 4, sha256, format: "audio/wav", at: 2_000 });
}

/** Every event so far, each checked against the schema of its type. */
async function events(): Promise<(Omit<EventRow, "id" | "at" | "data"> & { data: unknown })[]> {
  const { events: rows } = await call("eventsAfter", { id: 0, limit: 100 });
  return rows.map(({ type, subject, data }) => ({
    type,
    subject,
    data: v.parse(eventTypes[type].data as v.GenericSchema, JSON.parse(data)),
  }));
}

async function typesOf(): Promise<string[]> {
  return (await events()).map(({ type }) => type);
}

describe("a stream", () => {
  test("starts, finishes and is removed", async () => {
    await finish("a");
    await call("remove", { streamId: "a" });
    const subject = "streams/a";
    const named = { streamId: "a", name: "song.wav" };
    expect(await events()).toEqual([
      { type: "stream.started", subject, data: named },
      { type: "stream.finished", subject, data: { ...named, size: 4, sha256, format: "audio/wav" } },
      { type: "stream.removed", subject, data: { ...named, size: 4, finished: true, reason: "request" } },
    ]);
    const { newest } = await call("eventsAfter", { id: 0, limit: 100 });
    await until("they are announced", 5_000, () => announced.at(-1) === newest);
  });

  test("is started once, whether it is reserved or resumed", async () => {
    await reserve("a");
    const args = {
      key: "other",
      metadata,
      account: null,
      restart: false,
      asksOwner: false,
      refusal: null,
      at: 1_000,
    };
    await call("resume", { streamId: "a", ...args });
    await call("resume", { streamId: "b", ...args });
    expect((await events()).map(({ type, subject }) => [type, subject])).toEqual([
      ["stream.started", "streams/a"],
      ["stream.started", "streams/b"],
    ]);
  });

  test("is removed and started again by a restart", async () => {
    await reserve("a");
    await call("resume", {
      streamId: "a",
      key: "new",
      metadata: noMetadata,
      account: null,
      restart: true,
      asksOwner: false,
      refusal: null,
      at: 2_000,
    });
    expect(await events()).toMatchObject([
      { type: "stream.started" },
      { type: "stream.removed", data: { reason: "restart", finished: false } },
      { type: "stream.started", data: { name: null } },
    ]);
  });

  test("is interrupted, and expires", async () => {
    await reserve("a", 7);
    await call("leave", { streamId: "a", at: 2_000 });
    await call("expire", {
      expired: [{ streamId: "a", key: "k-a" }],
      inUse: [],
      reason: "room",
      at: 3_000,
    });
    expect(await events()).toMatchObject([
      { type: "stream.started" },
      { type: "upload.interrupted", data: { size: 7 } },
      { type: "stream.expired", data: { size: 7, reason: "room", finished: false } },
    ]);
  });

  test.each(["age", "limit"] as const)("expires by retention: %s", async (reason) => {
    await finish("a");
    await finish("b");
    const streams = ["a", "b", "none"].map((streamId) => ({ streamId, key: `k-${streamId}` }));
    await call("removeStreams", { streams, reason, at: 3_000 });
    const gone = (streamId: string) => ({
      type: "stream.expired",
      subject: `streams/${streamId}`,
      data: { streamId, name: "song.wav", size: 4, finished: true, reason },
    });
    expect((await events()).slice(4)).toEqual([gone("a"), gone("b")] as never);
  });

  test("that cannot be reserved or removed writes nothing", async () => {
    await reserve("a");
    const again = call("reserve", { streamId: "a", key: "k2", metadata, account: null, at: 1_000 });
    expect(await again.catch((error: Error) => error)).toBeInstanceOf(Error);
    const unknown = call("remove", { streamId: "none" });
    expect(await unknown.catch((error: Error) => error)).toBeInstanceOf(Error);
    expect(await typesOf()).toEqual(["stream.started"]);
  });

  test("is damaged once", async () => {
    await finish("a");
    await call("markDamaged", { sha256, isDamaged: true });
    await call("markDamaged", { sha256, isDamaged: true });
    await call("markDamaged", { sha256, isDamaged: false });
    const damaged = { type: "storage.damaged", subject: "storage" } as const;
    expect((await events()).slice(2)).toEqual([
      { ...damaged, data: { sha256, streamIds: ["a"], streams: 1 } },
    ]);
  });
});

/** A recording whose files are in `recordings`. */
function recordingEntry(recordings: string, name: string): RecordingEntry {
  mkdirSync(recordings, { recursive: true });
  for (const end of ["bin", "wav"]) writeFileSync(join(recordings, `${name}.${end}`), "x");
  const file = { bytes: 1, sha256 };
  return {
    name,
    device: "kitchen",
    streamId: 7,
    codec: "pcm",
    sampleRate: 16_000,
    channels: 1,
    startedAt: 1_000,
    endedAt: 2_000,
    frames: 3,
    samples: 960,
    gaps: 1,
    lostFrames: 2,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement: placementOf(name),
    bin: file,
    wav: file,
  };
}

test.each(["age", "limit", "request"] as const)("a recording is removed: %s", async (reason) => {
  const recordings = join(folder.path, "recordings");
  const closed = [recordingEntry(recordings, "one")];
  await call("syncRecordings", { folder: recordings, open: [], closed, suspect: [], ended: [] });
  const id = (await events()).map(({ data }) => (data as { id: number }).id).at(-1)!;
  if (reason === "request") await call("removeRecordings", { folder: recordings, what: id, limit: 1 });
  else await call("expireRecordings", { folder: recordings, ids: [id], reason });
  const data = { id, name: "one", device: "kitchen", reason };
  expect((await events()).slice(1)).toEqual([
    { type: "recording.removed", subject: "recordings/kitchen", data },
  ]);
});

test("a recording opens, closes once, and is removed with its files", async () => {
  const recordings = join(folder.path, "recordings");
  const entry = recordingEntry(recordings, "one");
  const { name, device, streamId, codec, sampleRate, channels, placement } = entry;
  const live = { device, streamId, codec, sampleRate, channels };
  const segment = { name, placement, frameSamples: 320, fillGaps: false };
  await call("startSegment", { segment, live, at: 1_000 });
  const sync = { folder: recordings, open: [], closed: [entry], suspect: [], ended: [] };
  await call("syncRecordings", sync);
  // The answer to the first call is lost with the thread: the main thread asks again.
  await call("syncRecordings", sync);
  const subject = "recordings/kitchen";
  const data = { id: expect.any(Number), name: "one", device: "kitchen", samples: 960, wavBytes: 1 };
  expect(await events()).toMatchObject([
    { type: "recording.opened", subject, data: { name: "one", ...live, startedAtMs: 1_000 } },
    { type: "recording.closed", subject, data },
  ]);
  for (const end of ["bin", "wav"]) await Bun.file(join(recordings, `one.${end}`)).delete();
  await call("lookAtRecordings", { folder: recordings, after: 0, limit: 10 });
  expect((await events()).at(-1)).toMatchObject({ type: "recording.removed", subject });
});
