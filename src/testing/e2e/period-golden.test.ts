/** Random periods of a device's day are, sample for sample, what it sent: through everything that happens to a stream. */
import { afterEach, beforeEach, expect, setDefaultTimeout, setSystemTime, test } from "bun:test";
import { join } from "node:path";
import { openLog } from "../../base/log/log.ts";
import { PeriodAudio } from "../../engine/recordings/by-time/period-audio.ts";
import { FollowedPeriod, type PeriodSource } from "../../engine/recordings/by-time/followed-period.ts";
import { type GapRule, planPeriod } from "../../engine/recordings/by-time/plan.ts";
import { WavFiles } from "../../engine/recordings/wav-files.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { type Random, seeded } from "../harness/bytes.ts";
import { RecordedDay, referenceCut } from "../harness/recorded-day.ts";
import { testLimitMs } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

let folder: ReturnType<typeof temporaryFolder>;
let catalog: SqliteCatalog;
let wavFiles: WavFiles;

beforeEach(() => {
  folder = temporaryFolder();
  catalog = new SqliteCatalog(join(folder.path, "catalog.db"));
  wavFiles = new WavFiles(folder.path, openLog("test"));
});
afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

async function recordDay(random: Random, events: number): Promise<RecordedDay> {
  const day = new RecordedDay(folder.path, catalog);
  day.send(20);
  for (let event = 0; event < events; event++) {
    const kind = random.int(0, 6);
    if (kind === 0) day.lose(random.int(1, 60));
    else if (kind === 1) day.pause(random.int(2_500, 6_000));
    else if (kind === 2) day.disconnect(random.int(100, 5_000));
    else if (kind === 3) await day.crash(random.int(100, 5_000));
    else if (kind === 4) day.setClock(random.int(-20_000, 20_000));
    day.send(random.int(1, 150));
  }
  day.disconnect(0);
  await day.enter();
  return day;
}

async function samplesOf(day: RecordedDay, fromUs: number, toUs: number, gaps: GapRule): Promise<Int16Array> {
  const period = { folder: folder.path, name: "kitchen", streamId: undefined, fromUs, toUs };
  const { spans, segments } = await day.keeper.period(period);
  if (spans.length === 0) return new Int16Array(Math.round(((toUs - fromUs) * 16) / 1000));
  const plan = planPeriod(spans, segments, { fromUs, toUs, gaps, resampleRate: undefined });
  const audio = new PeriodAudio(plan, "pcm", ({ name, wav }) => wavFiles.open(name, wav));
  const bytes = await audio.read(0, audio.size);
  await audio.close();
  return new Int16Array(bytes.buffer, 0, bytes.length / 2);
}

test(
  "any period of a day is what the device sent, sample for sample",
  seeded(async (random) => {
    const day = await recordDay(random, 40);
    const { bounds } = catalog.recordings.timeline.read({
      source: "kitchen",
      streamId: undefined,
      fromUs: 0,
      toUs: Number.MAX_SAFE_INTEGER,
      limit: 1000,
    });
    const { earliestUs, latestUs } = bounds!;
    const lengthUs = latestUs - earliestUs;
    expect(await samplesOf(day, earliestUs, latestUs, "silence")).toEqual(
      referenceCut(day.runs, earliestUs, latestUs),
    );
    for (let count = 0; count < 300; count++) {
      const fromUs = earliestUs - 1_000_000 + random.int(0, lengthUs);
      const toUs = fromUs + random.int(1_000, count % 2 === 0 ? 200_000 : 30_000_000);
      const samples = await samplesOf(day, fromUs, toUs, "silence");
      if (Buffer.compare(bytesOf(samples), bytesOf(referenceCut(day.runs, fromUs, toUs))) !== 0)
        throw new Error(`the period from ${fromUs} to ${toUs} µs differs`);
    }
  }),
);

/** Plans a period part by part, as far as it is known at random times, and reads each part. */
async function followedSamples(day: RecordedDay, random: Random, fromUs: number, toUs: number) {
  const parts: Uint8Array[] = [];
  const format = { sampleRate: 16_000, channels: 1 };
  const source: PeriodSource = {
    knownUntil: async () => (knownUs += random.int(1, 3_000_000)),
    plan: async (period, options) => {
      const { spans, segments } = await day.keeper.period({ ...period, folder: folder.path });
      return planPeriod(spans, segments, { ...options, fromUs: period.fromUs, toUs: period.toUs });
    },
  };
  let knownUs = fromUs - 500_000;
  const period = { name: "kitchen", streamId: undefined, fromUs, toUs };
  const followed = new FollowedPeriod(source, period, { gaps: "silence", format }, () => {});
  while (!followed.isOver) {
    const plan = await followed.next();
    if (plan === undefined) continue;
    const audio = new PeriodAudio(plan, "pcm", ({ name, wav }) => wavFiles.open(name, wav));
    parts.push(await audio.read(2 * plan.first, audio.size - 2 * plan.first));
    await audio.close();
  }
  return Buffer.concat(parts);
}

test(
  "a period that is followed is the same as one that is asked for later",
  seeded(async (random) => {
    setSystemTime(new Date(0));
    const day = await recordDay(random, 15);
    const { sessionStartUs } = day.runs[0]!;
    for (let count = 0; count < 10; count++) {
      const fromUs = sessionStartUs + random.int(-1_000_000, 10_000_000);
      const toUs = fromUs + random.int(1_000, 30_000_000);
      const cut = referenceCut(day.runs, fromUs, toUs);
      expect(Buffer.compare(await followedSamples(day, random, fromUs, toUs), bytesOf(cut))).toBe(0);
    }
    setSystemTime();
  }),
);

test("audio that a crash interrupts soon after a pause lies where it arrived", async () => {
  const day = new RecordedDay(folder.path, catalog);
  day.send(60);
  day.pause(3_000);
  day.send(8);
  await day.crash(1_000);
  day.send(60);
  day.disconnect(0);
  await day.enter();
  const fromUs = day.runs[0]!.sessionStartUs;
  const toUs = fromUs + 8_000_000;
  const samples = await samplesOf(day, fromUs, toUs, "silence");
  expect(Buffer.compare(bytesOf(samples), bytesOf(referenceCut(day.runs, fromUs, toUs)))).toBe(0);
});

test("audio without its gaps is all that was recorded, each sample once", async () => {
  const day = new RecordedDay(folder.path, catalog);
  day.send(120);
  day.lose(3);
  day.send(70);
  day.disconnect(4_000);
  day.send(60);
  day.disconnect(0);
  await day.enter();
  const fromUs = day.runs[0]!.sessionStartUs;
  const all = day.runs.flatMap((run) => run.samples);
  expect([...(await samplesOf(day, fromUs, fromUs + 60_000_000, "skip"))]).toEqual(all);
  const lostAtUs = fromUs + 120 * 20_000;
  expect(await samplesOf(day, fromUs, lostAtUs, "fail")).toHaveLength(120 * 320);
  const refusal = await samplesOf(day, fromUs, lostAtUs + 63, "fail").catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: "RECORDING_GAP", at: "2026-01-01T00:00:02.400000Z" });
});

function bytesOf(samples: Int16Array): Uint8Array {
  return new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
}
