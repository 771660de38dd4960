/** A running server that joins recordings once their hour is over. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { compactedMs } from "../../base/limits/recordings.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { timelineOf } from "../harness/http/timeline.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { serverEntry, TestServer } from "../harness/server.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

const program = [
  process.execPath,
  "--preload",
  join(import.meta.dir, "../mocks/shifted-clock.ts"),
  serverEntry,
];
const flags = { "rotate-seconds": 1, "sync-seconds": 1, compact: "hourly" };

test("a server with --compact hourly joins an hour ten minutes after its end, and answers the same", async () => {
  using folder = temporaryFolder();
  const clock = join(folder.path, "clock");
  const advance = (ms: number) => writeFileSync(clock, String(ms));
  advance(0);
  const env = { WAVECACHE_TEST_CLOCK: clock };
  await using server = await TestServer.start({ flags, env, program });
  await recordSegments(server, 3);
  const before = await describe(server);
  const hours = new Set(before.starts.map((startedAt) => Math.floor(startedAt / compactedMs)));
  expect(before.starts.length).toBeGreaterThanOrEqual(3);

  const end = (Math.max(...hours) + 1) * compactedMs;
  advance(end + 10 * 60_000 - 1_000 - Date.now());
  advance(end + 10 * 60_000 + 1_000 - Date.now());
  await server.untilLogged("recordings were joined");
  await until(
    "one recording an hour",
    20_000,
    async () => (await describe(server)).starts.length === hours.size,
  );
  const { audio, spans } = await describe(server);
  expect(spans).toEqual(before.spans);
  expect(audio.equals(before.audio)).toBe(true);
  expect(isCounting(new Int16Array(new Uint8Array(audio).buffer, 44))).toBe(true);
});

/** A device sends in real time, without a pause, until the server lists this many segments. */
async function recordSegments(server: TestServer, segments: number): Promise<void> {
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  let samples = 0;
  const sending = setInterval(() => {
    device.send(countingPayload(samples, 320));
    samples += 320;
  }, 20);
  await until("the segments", 20_000, async () => (await allRecordings(server.httpBase)).length >= segments);
  clearInterval(sending);
  await device.close();
}

/** The samples of the device, its timeline, and when its recordings start, in ms since 1970. */
async function describe(server: TestServer) {
  const { earliest, latest, spans } = (await timelineOf(server.httpBase, "kitchen"))!;
  const period = `from=${earliest}&to=${latest}`;
  const audio = await fetch(`${server.httpBase}/api/recordings/kitchen/audio?${period}`);
  expect(audio.status).toBe(200);
  return {
    audio: Buffer.from(await audio.arrayBuffer()),
    spans: spans.map(({ start, end, samples }) => ({ start, end, samples })),
    starts: (await allRecordings(server.httpBase)).map(({ startedAt }) => Date.parse(startedAt)),
  };
}
