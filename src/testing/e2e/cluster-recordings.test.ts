/** Two nodes on one catalog and one archive: what a device recorded at the one is read at the other. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { sha256 } from "../harness/bytes.ts";
import { allRecordings, type ListedRecording } from "../harness/http/recordings.ts";
import { microseconds, timelineOf } from "../harness/http/timeline.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { recordCounting } from "../harness/recorded-audio.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();
setDefaultTimeout(testLimitMs);
const limitMs = 18_000;
/** More than two pieces of the archive. */
const frames = 3_600;

async function answerOf({ httpBase }: TestServer, path: string, headers = {}) {
  const response = await fetch(`${httpBase}${path}`, { headers });
  const body = new Uint8Array(await response.arrayBuffer());
  return { status: response.status, body, text: new TextDecoder().decode(body.subarray(0, 400)) };
}

const samplesOf = (wav: Uint8Array) => new Int16Array(wav.slice(44).buffer);
const timeOf = (us: number) => encodeURIComponent(new Date(us / 1000).toISOString());

describe.if(postgresPrograms !== undefined && hasObjectStore)("a recording of another node", () => {
  let store: ObjectStore;
  let [a, b] = [] as unknown as [TestServer, TestServer];
  let long: ListedRecording;
  let startUs: number;

  beforeAll(async () => {
    store = await ObjectStore.start();
    const flags = {
      "sync-seconds": 1,
      "rotate-seconds": 3600,
      ...store.flags,
      catalog: postgresServer().createSchema(),
    };
    // The first node keeps no samples that the archive has.
    a = await TestServer.start({ flags: { ...flags, "archive-local-bytes": 1 }, env: store.env });
    b = await TestServer.start({ flags, env: store.env });
    [long] = (await recordCounting(a, "mic", frames)) as [ListedRecording];
    await until("it to be archived", limitMs, () => store.count("PUT", "recordings/") >= 2);
    await until(
      "the other node to read it",
      limitMs,
      async () =>
        (await answerOf(b, `/api/recordings/${long.id}/audio`, { range: "bytes=0-43" })).status === 206,
    );
    const received = join(a.folder, "received/mic");
    await until(
      "the samples to go",
      limitMs,
      () => !readdirSync(received).some((name) => name.endsWith(".wav")),
    );
    startUs = microseconds((await timelineOf(b.httpBase, "mic"))!.spans[0]!.start);
  }, 60_000);
  afterAll(async () => {
    await a?.dispose();
    await b?.dispose();
    await store?.[Symbol.asyncDispose]();
  });

  test("is read as a whole, and by range for the price of its pieces", async () => {
    const path = `/api/recordings/${long.id}/audio`;
    store.requests.length = 0;
    const range = await answerOf(b, path, { range: "bytes=2200000-2200999" });
    expect([range.status, range.body.length]).toEqual([206, 1000]);
    expect(store.count("GET", "recordings/")).toBe(1);
    const whole = await answerOf(b, path);
    expect([whole.status, sha256(whole.body)]).toEqual([200, long.wav.sha256]);
    expect(Buffer.from(whole.body.subarray(2_200_000, 2_201_000)).equals(Buffer.from(range.body))).toBe(true);
    expect(store.count("GET", "recordings/")).toBe(2);
    expect((await answerOf(a, path)).body).toEqual(whole.body);
  });

  test("is heard by time, also resampled, as at the node that recorded it", async () => {
    const period = `from=${timeOf(startUs + 1_000_000)}&to=${timeOf(startUs + 3_000_000)}`;
    for (const query of [period, `${period}&resample=8000`, `${period}&format=pcm`]) {
      const [here, there] = await Promise.all(
        [a, b].map((node) => answerOf(node, `/api/recordings/mic/audio?${query}`)),
      );
      expect([there!.status, sha256(there!.body)]).toEqual([200, sha256(here!.body)]);
    }
    const heard = samplesOf((await answerOf(b, `/api/recordings/mic/audio?${period}`)).body);
    expect(heard.length).toBe(2 * 16_000);
    expect(isCounting(heard, heard[0]!)).toBe(true);
  });

  test("has the same peaks and levels in full detail, by one request to the archive", async () => {
    store.requests.length = 0;
    const period = `from=${timeOf(startUs)}&to=${timeOf(startUs + 3_000_000)}`;
    for (const kind of ["peaks", "levels"]) {
      const path = `/api/recordings/mic/${kind}?${period}&points=150`;
      const [here, there] = await Promise.all([a, b].map((node) => answerOf(node, path)));
      expect([there!.status, there!.body.length > 100]).toEqual([200, true]);
      expect(there!.body).toEqual(here!.body);
    }
    expect(store.count("GET", "recordings/")).toBe(1);
  });

  test("is never silence while only the other node can read it: not in progress, nor before it is archived", async () => {
    using device = await IngestDevice.open(a.httpBase, pcmFormat, "live");
    const beganUs = Date.now() * 1000;
    for (let frame = 0; frame < 100; frame += 1) device.send(countingPayload(frame * 320, 320));
    const path = `/api/recordings/live/audio?from=${timeOf(beganUs - 1_000_000)}&to=${timeOf(beganUs + 500_000)}`;
    await until("the other node to know of it", limitMs, async () =>
      (await answerOf(b, path)).text.includes("AUDIO_ELSEWHERE"),
    );
    const later = `/api/recordings/live/audio?from=${timeOf(beganUs)}&to=${timeOf(beganUs + 3_600_000_000)}`;
    expect((await answerOf(b, later)).text).toContain("AUDIO_ELSEWHERE");
    store.fault = ({ method }) => (method === "PUT" ? "error 500" : "pass");
    await device.close();
    await until(
      "the recording",
      limitMs,
      async () => (await allRecordings(b.httpBase, "device=live")).length === 1,
    );
    const [row] = await allRecordings(b.httpBase, "device=live");
    expect((await answerOf(b, `/api/recordings/${row!.id}/audio`)).text).toContain("AUDIO_ELSEWHERE");
    expect((await answerOf(b, path)).text).toContain("AUDIO_ELSEWHERE");
    store.fault = () => "pass";
    await until("the archive to have it", limitMs, async () => (await answerOf(b, path)).status === 200);
  });

  test("is read while the node that recorded it is dead", async () => {
    await a.kill9();
    const fresh = await answerOf(b, `/api/recordings/${long.id}/audio`);
    expect(sha256(fresh.body)).toBe(long.wav.sha256);
    const listed = await allRecordings(b.httpBase, "device=mic");
    expect(listed.map(({ id }) => id)).toEqual([long.id]);
  });
});
