/** Joined recordings: no answer about a device's day changes, whenever the process is killed. */
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openLog } from "../../base/log/log.ts";
import { PeriodAudio } from "../../engine/recordings/by-time/period-audio.ts";
import { planPeriod } from "../../engine/recordings/by-time/plan.ts";
import { timelineOf } from "../../engine/recordings/by-time/timeline.ts";
import { WavDigest } from "../../store/recordings/wav-digest.ts";
import { WavFiles } from "../../engine/recordings/wav-files.ts";
import { RecordingKeeper } from "../../store/recordings/keeper.ts";
import type { RecordingRow } from "../../store/recordings/catalog.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { type Random, seeded } from "../harness/bytes.ts";
import { joinAll } from "../harness/join-all.ts";
import { RecordedDay } from "../harness/recorded-day.ts";
import { testLimitMs } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

let folder: ReturnType<typeof temporaryFolder>;
let catalog: SqliteCatalog;
let keeper: RecordingKeeper;

beforeEach(() => {
  folder = temporaryFolder();
  openStore();
});
afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

function openStore(): void {
  catalog = new SqliteCatalog(join(folder.path, "catalog.db"));
  keeper = new RecordingKeeper(catalog, async () => true);
}

async function record(events: number, random: Random): Promise<void> {
  const day = new RecordedDay(folder.path, catalog);
  day.send(200);
  for (let event = 0; event < events; event++) {
    const kind = random.int(0, 6);
    if (kind === 0) day.lose(random.int(1, 60));
    else if (kind === 1) day.pause(random.int(2_500, 6_000));
    else if (kind === 2) day.disconnect(random.int(100, 1_800_000));
    else if (kind === 3) await day.crash(random.int(100, 5_000));
    else if (kind === 4) day.setClock(random.int(-20_000, 20_000));
    day.send(random.int(1, 300));
  }
  day.disconnect(0);
  await day.enter();
}

const rows = () => catalog.recordings.after(0, 10_000);

/** What the timeline says of a period, but for the number of files. */
function timeline(fromUs: number, toUs: number) {
  const found = keeper.timeline({ name: "kitchen", streamId: undefined, fromUs, toUs, limit: 1000 });
  const { spans, totals, ...rest } = timelineOf(found, fromUs, toUs, 1000)!;
  return {
    ...rest,
    spans: spans.map((span) => Object.assign(span, { segments: 0 })),
    totals: { ...totals, segments: 0 },
  };
}

async function audio(fromUs: number, toUs: number): Promise<Buffer> {
  const period = { folder: folder.path, name: "kitchen", streamId: undefined, fromUs, toUs };
  const { spans, segments } = await keeper.period(period);
  if (spans.length === 0) return Buffer.alloc(0);
  const plan = planPeriod(spans, segments, { fromUs, toUs, gaps: "skip", resampleRate: undefined });
  const files = new WavFiles(folder.path, openLog("test"));
  const read = new PeriodAudio(plan, "pcm", ({ name, wav }) => files.open(name, wav));
  const bytes = Buffer.from(await read.read(0, read.size));
  await read.close();
  return bytes;
}

function wholeDay() {
  return catalog.recordings.timeline.read({
    source: "kitchen",
    streamId: undefined,
    fromUs: 0,
    toUs: Number.MAX_SAFE_INTEGER,
    limit: 1000,
  });
}

function everything() {
  const { bounds } = wholeDay();
  return [bounds!.earliestUs, bounds!.latestUs] as const;
}

/** The files of recordings, and those that the catalog has. */
function files(): { found: string[]; expected: string[] } {
  const found = readdirSync(folder.path, { recursive: true, encoding: "utf8" });
  const expected = rows().flatMap(({ name }) => [`${name}.bin`, `${name}.wav`]);
  return { found: found.filter((path) => /\.(?:bin|wav)$/.test(path)).sort(), expected: expected.sort() };
}

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
const fileOf = ({ name }: RecordingRow, kind: "bin" | "wav") =>
  readFileSync(join(folder.path, `${name}.${kind}`));

function expectTrueFiles(): void {
  const { found, expected } = files();
  expect(found).toEqual(expected);
  for (const row of rows()) {
    for (const kind of ["bin", "wav"] as const) {
      const bytes = fileOf(row, kind);
      expect([bytes.length, sha256(bytes)]).toEqual([row[kind].bytes, row[kind].sha256]);
    }
    const digest = new WavDigest();
    digest.add(fileOf(row, "wav"));
    expect(row.wav).toEqual(digest.finish());
  }
}

describe("joined recordings", () => {
  test(
    "change no answer of the timeline, and no sample of any period",
    seeded(async (random) => {
      await record(25, random);
      const [fromUs, toUs] = everything();
      const periods = Array.from({ length: 40 }, () => {
        const start = random.int(fromUs - 1_000_000, toUs);
        return [start, start + random.int(1_000, 60_000_000)] as const;
      });
      periods.push([fromUs, toUs]);
      const answers = () =>
        Promise.all(periods.map(async ([from, to]) => [timeline(from, to), sha256(await audio(from, to))]));
      const before = await answers();
      const count = rows().length;
      const packets = Buffer.concat(inOrder().map((row) => fileOf(row, "bin")));
      const joined = await joinAll(keeper, folder.path, true);
      expect(joined.problems).toEqual([]);
      expect(joined.recordings).toBeGreaterThan(0);
      expect(rows().length).toBe(count - joined.segments + joined.recordings);
      expect(await answers()).toEqual(before);
      expect(wholeDay().totals.segments).toBe(rows().length);
      expectTrueFiles();
      expect(Buffer.compare(Buffer.concat(inOrder().map((row) => fileOf(row, "bin"))), packets)).toBe(0);
      // There is nothing more to join.
      expect((await joinAll(keeper, folder.path, true)).recordings).toBe(0);
    }),
  );

  test("may do without the packets", async () => {
    const day = new RecordedDay(folder.path, catalog);
    day.send(200);
    day.disconnect(0);
    await day.enter();
    const [fromUs, toUs] = everything();
    const before = await audio(fromUs, toUs);
    await joinAll(keeper, folder.path, false);
    expect(rows().map(({ bin, frames }) => [bin.bytes, frames])).toEqual([[0, 200]]);
    expect(await audio(fromUs, toUs)).toEqual(before);
    expectTrueFiles();
    expect((await keeper.list(listing)).rows.map(({ missing }) => missing)).toEqual([undefined]);
  });

  test("leave pinned segments as they are", async () => {
    const day = new RecordedDay(folder.path, catalog);
    day.send(600);
    day.disconnect(0);
    await day.enter();
    const count = rows().length;
    const third = inOrder()[2];
    catalog.retention.pinRecording(third!.id, true);
    const joined = await joinAll(keeper, folder.path, true);
    expect([joined.recordings, joined.segments]).toEqual([2, count - 1]);
    expect(inOrder()[1]).toEqual({ ...third!, isPinned: true });
    expectTrueFiles();
  });

  test("are not made of a segment that is not what was recorded", async () => {
    const day = new RecordedDay(folder.path, catalog);
    day.send(200);
    day.disconnect(0);
    await day.enter();
    const [first, second] = inOrder();
    const path = join(folder.path, `${second!.name}.wav`);
    const bytes = readFileSync(path);
    bytes[100]! ^= 1;
    writeFileSync(path, bytes);
    const damaged = await joinAll(keeper, folder.path, true);
    expect(damaged.problems).toEqual([`${path} is not what was recorded`]);
    rmSync(path);
    expect((await joinAll(keeper, folder.path, true)).problems).toEqual([`${path} cannot be read`]);
    expect(inOrder()[0]!.name).toBe(first!.name);
    expect(catalog.joins.notes()).toEqual([]);
    expect(files().found).toEqual(files().expected.filter((name) => !path.endsWith(name)));
  });

  test.each([
    ["join.1", 1],
    ["join.2", 1],
    ["join.3", 1],
    ["join.3", 2],
    ["join.4", 1],
    ["join.4", 3],
  ])("survive a kill at %s, passage %d", async (point, passage) => {
    const day = new RecordedDay(folder.path, catalog);
    day.send(200);
    day.lose(5);
    day.send(100);
    day.disconnect(1_800_000);
    day.send(150);
    day.disconnect(3_600_000);
    await day.enter();
    const [fromUs, toUs] = everything();
    const before = [timeline(fromUs, toUs), await audio(fromUs, toUs)];
    catalog.close();
    const script = new URL("../fixtures/join-recordings.ts", import.meta.url).pathname;
    const process = Bun.spawn(["bun", script, folder.path, "true"], {
      env: { ...Bun.env, WAVECACHE_FAILPOINTS: `${point}*${passage}=kill` },
    });
    await process.exited;
    expect(process.signalCode).toBe("SIGKILL");
    openStore();
    keeper.settleJoins({ folder: folder.path, before: "all" });
    await keeper.repair({ folder: folder.path, names: null });
    expect([timeline(fromUs, toUs), await audio(fromUs, toUs)]).toEqual(before);
    expect(catalog.joins.notes()).toEqual([]);
    expectTrueFiles();
    await joinAll(keeper, folder.path, true);
    expect([timeline(fromUs, toUs), await audio(fromUs, toUs)]).toEqual(before);
    expect(rows().length).toBe(2);
    expectTrueFiles();
  });
});

const listing = {
  get folder() {
    return folder.path;
  },
  query: { device: undefined, from: 0, to: Number.MAX_SAFE_INTEGER, after: undefined, limit: 100 },
};

const key = ({ placement }: RecordingRow) =>
  `${placement.session} ${String(placement.position).padStart(12, "0")}`;

/** By session and position. */
function inOrder(): RecordingRow[] {
  return rows().sort((a, b) => (key(a) < key(b) ? -1 : 1));
}
