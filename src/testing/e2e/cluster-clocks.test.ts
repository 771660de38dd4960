/** Two nodes with one catalog in PostgreSQL, whose clocks are ten minutes apart: both go by that of the database. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { Random } from "../harness/bytes.ts";
import { canPreload, compileLibrary } from "../harness/faults/preload.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { scrape } from "../harness/http/exposition.ts";
import { timelineOf } from "../harness/http/timeline.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 15_000;
const differenceSeconds = 300;
const toleranceMs = 20_000;
const audio = new Random(31).bytes(40_000);

/** Close to the right time. */
function expectNow(time: string | number): void {
  expect(Math.abs(new Date(time).getTime() - Date.now())).toBeLessThan(toleranceMs);
}

async function ask(
  { httpBase }: TestServer,
  method: string,
  path: string,
  body?: Uint8Array,
): Promise<Response> {
  return await fetch(
    `${httpBase}${path}`,
    body === undefined ? { method } : { method, body: Buffer.from(body) },
  );
}

interface CloudEvent {
  id: string;
  subject: string;
  time: string;
}

/** The events that there are of streams that were finished, with an id that begins so. */
async function finished(server: TestServer, prefix: string): Promise<CloudEvent[]> {
  const query = `after=0&follow=0&type=stream.finished&subject=streams/${prefix}*`;
  const text = await (await ask(server, "GET", `/api/events?${query}`)).text();
  return Array.from(text.matchAll(/^data: (\{.*)$/gm), ([, data]) => JSON.parse(data!) as CloudEvent);
}

async function clockAhead({ httpBase }: TestServer): Promise<number> {
  return (await scrape(httpBase))!.sum("wavecache_clock_ahead_seconds")!;
}

/** Records a second of audio. */
async function record(server: TestServer, from: number): Promise<void> {
  using sender = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
  for (let frame = 0; frame < 50; frame += 1) sender.send(countingPayload(from + 320 * frame, 320));
  await sender.close();
}

describe.skipIf(postgresPrograms === undefined || !canPreload)("nodes whose clocks are wrong", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let ahead: TestServer;
  let behind: TestServer;

  beforeAll(async () => {
    folder = temporaryFolder();
    const library = compileLibrary("clock.c", folder.path);
    const keyFile = join(folder.path, "keys");
    await Bun.write(keyFile, `${randomBytes(32).toString("base64url")}\n`);
    const flags = { catalog: postgresServer().createSchema(), "link-key-file": keyFile, "sync-seconds": 1 };
    const start = async (seconds: number) =>
      await TestServer.start({ flags, env: { LD_PRELOAD: library, CLOCK_AHEAD_SECONDS: String(seconds) } });
    ahead = await start(differenceSeconds);
    behind = await start(-differenceSeconds);
  }, 60_000);
  afterAll(async () => {
    await ahead?.dispose();
    await behind?.dispose();
    folder?.[Symbol.dispose]();
  });

  test("say so, and correct their times", async () => {
    await ahead.untilLogged("the clock of this machine is wrong");
    expect(Math.abs((await clockAhead(ahead)) - differenceSeconds)).toBeLessThan(5);
    expect(Math.abs((await clockAhead(behind)) + differenceSeconds)).toBeLessThan(5);
  });

  test("take each other's streams at the right time, and each other's uploads", async () => {
    for (const node of [ahead, behind]) {
      const id = node === ahead ? "of-ahead" : "of-behind";
      expect((await ask(node, "PUT", `/api/streams/${id}/audio`, audio)).status).toBe(201);
      const other = node === ahead ? behind : ahead;
      const stream = (await (await ask(other, "GET", `/api/streams/${id}`)).json()) as { finishedAt: string };
      expectNow(stream.finishedAt);
    }
    using first = await AudioCachePeer.open(behind.url);
    await first.start("moved");
    await first.sendAudio(audio.subarray(0, 10_000));
    await first.untilReceived("moved", 10_000);
    using second = await AudioCachePeer.open(ahead.url);
    const offset = await second.resume("moved");
    await second.sendAudio(audio.subarray(offset));
    await second.stop("moved");
  });

  test("write events at the right time, in one order", async () => {
    for (const id of ["e1", "e2", "e3", "e4"]) {
      await ask(id === "e1" || id === "e3" ? ahead : behind, "PUT", `/api/streams/${id}/audio`, audio);
    }
    const found = await finished(ahead, "e");
    expect(found.map(({ subject }) => subject)).toEqual(
      ["e1", "e2", "e3", "e4"].map((id) => `streams/${id}`),
    );
    for (const { time } of found) expectNow(time);
    const ids = found.map(({ id }) => Number(id));
    expect(ids).toEqual(ids.toSorted((x, y) => x - y));
  });

  test("record a device that moves from one to the other as one that has only paused", async () => {
    await record(ahead, 0);
    await until(
      "the first recording",
      limitMs,
      async () => (await allRecordings(behind.httpBase)).length === 1,
    );
    const first = (await timelineOf(behind.httpBase, "kitchen"))!;
    // The audio was sent faster than it sounds.
    await until("its end", limitMs, () => Date.now() > Date.parse(first.latest));
    await record(behind, 16_000);
    await until(
      "the second recording",
      limitMs,
      async () => (await allRecordings(ahead.httpBase)).length === 2,
    );
    const timeline = (await timelineOf(ahead.httpBase, "kitchen"))!;
    const [one, two] = timeline.spans;
    expect(timeline.spans).toHaveLength(2);
    for (const { start } of timeline.spans) expectNow(start);
    expect(Date.parse(two!.start)).toBeGreaterThanOrEqual(Date.parse(one!.end));
    expect(timeline.gaps.map(({ reason }) => reason)).not.toContain("clock stepped");
  });

  test("take each other's links and tokens for as long as they are valid", async () => {
    await ask(behind, "PUT", "/api/streams/shared/audio", audio);
    const body = JSON.stringify({ grants: ["*"], expires: "2m" });
    const json = { "content-type": "application/json" };
    const made = await fetch(`${behind.httpBase}/api/tokens`, { method: "POST", headers: json, body });
    expect(made.status).toBe(201);
    const { token } = (await made.json()) as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    const statusOf = async ({ httpBase }: TestServer) =>
      (await fetch(`${httpBase}/api/streams`, { headers })).status;
    // Without any token everybody may read.
    const anonymous = async () => (await ask(ahead, "GET", "/api/streams")).status;
    await until("the token at the other node", limitMs, async () => (await anonymous()) === 401);
    expect(await statusOf(ahead)).toBe(200);
    expect(await statusOf(behind)).toBe(200);
    for (const issuer of [ahead, behind]) {
      const path = "/api/streams/shared/links?expires=2m";
      const shared = await fetch(`${issuer.httpBase}${path}`, { method: "POST", headers });
      const { link } = (await shared.json()) as { link: string };
      // Audio is where it came; a link that has expired gets 403 or 410.
      for (const node of [ahead, behind])
        expect([200, 503]).toContain(
          (await ask(node, "GET", `/api/streams/shared/audio?link=${link}`)).status,
        );
    }
  });
});
