/** Links to what a device has recorded in a period: they share that audio, and nothing else of the device. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createToken, type MadeToken } from "../harness/access.ts";
import { runClient } from "../harness/client-process.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const device = "kitchen";
let server: TestServer;
let root: MadeToken;
/** Of the audio, in milliseconds since 1970. */
let startMs: number;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  for (const name of [device, "hall"]) await record(name);
  const timeline = await fetch(`${server.httpBase}/api/recordings/${device}/timeline`);
  startMs = Date.parse(((await timeline.json()) as { earliest: string }).earliest);
  // From now on nobody reads anything without a credential.
  root = await createToken(server, ["*"]);
});

afterAll(async () => {
  await server.dispose();
});

/** Records a second of audio. */
async function record(name: string): Promise<void> {
  using sender = await IngestDevice.open(server.httpBase, pcmFormat, name);
  for (let frame = 0; frame < 50; frame++) sender.send(countingPayload(320 * frame, 320));
  await sender.close();
  await until(`the recording of ${name}`, 10_000, async () =>
    (await allRecordings(server.httpBase)).some((row) => row.device === name),
  );
}

async function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> {
  return await fetch(new URL(path, server.httpBase), { method, headers });
}

function period(fromMs: number, toMs: number): string {
  return `from=${startMs + fromMs}&to=${startMs + toMs}`;
}

async function share(
  fromMs: number,
  toMs: number,
  headers = root.headers,
): Promise<{ url: string; link: string }> {
  const answer = await ask(
    `/api/recordings/${device}/links?${period(fromMs, toMs)}&expires=1h`,
    headers,
    "POST",
  );
  expect(answer.status).toBe(201);
  return (await answer.json()) as { url: string; link: string };
}

describe("a link to a period of a device", () => {
  test("has exactly its audio, whole and in ranges", async () => {
    const { url } = await share(200, 600);
    const shared = await (await ask(url)).bytes();
    const own = await ask(`/api/recordings/${device}/audio?${period(200, 600)}`, root.headers);
    expect(shared).toEqual(await own.bytes());
    expect(shared.length).toBe(44 + 2 * 16_000 * 0.4);
    const range = await fetch(new URL(url, server.httpBase), { headers: { range: "bytes=44-143" } });
    expect([range.status, await range.bytes()]).toEqual([206, shared.slice(44, 144)]);
  });

  test("has every part of that audio, and none around it", async () => {
    const { link } = await share(200, 600);
    const statusOf = async (fromMs: number, toMs: number, more = "") =>
      (await ask(`/api/recordings/${device}/audio?${period(fromMs, toMs)}${more}&link=${link}`)).status;
    expect(await statusOf(300, 400)).toBe(200);
    expect(await statusOf(200, 600, "&format=pcm&stream=7")).toBe(200);
    expect(await statusOf(199, 600)).toBe(404);
    expect(await statusOf(200, 601)).toBe(404);
  });

  test("has nothing else: no other device, recording, peaks, list or live audio", async () => {
    const { link } = await share(0, 1_000);
    const all = `${period(0, 1_000)}&link=${link}`;
    for (const [path, status] of [
      [`/api/recordings/hall/audio?${all}`, 404],
      [`/api/recordings/${device}/peaks?${all}`, 404],
      [`/api/recordings/${device}/timeline?${all}`, 404],
      [`/api/recordings/1/audio?link=${link}`, 404],
      [`/api/recordings?link=${link}`, 403],
      [`/live/${device}.wav?link=${link}`, 403],
      [`/api/streams?link=${link}`, 403],
    ] as const)
      expect([path, (await ask(path)).status]).toEqual([path, status]);
    const again = `/api/recordings/${device}/links?${all}`;
    expect((await ask(again, {}, "POST")).status).toBe(404);
  });

  test("is made by whoever may read the device, and only if there is audio of it", async () => {
    const reader = await createToken(server, [`read:recordings/${device}`]);
    expect((await ask((await share(0, 500, reader.headers)).url)).status).toBe(200);
    const other = `/api/recordings/hall/links?${period(0, 500)}`;
    expect((await ask(other, reader.headers, "POST")).status).toBe(404);
    const nobody = `/api/recordings/nobody/links?${period(0, 500)}`;
    expect((await ask(nobody, root.headers, "POST")).status).toBe(404);
    expect((await ask(`/api/recordings/${device}/links`, root.headers, "POST")).status).toBe(400);
  });

  test("is made by the command line", async () => {
    const [from, to] = [startMs, startMs + 500].map((ms) => new Date(ms).toISOString());
    const args = ["share", device, "--from", from!, "--to", to!, "-s", server.httpBase];
    const { out, err } = await runClient(args, { env: { WAVECACHE_TOKEN: root.text } });
    expect(err).toBe("");
    expect((await fetch(out.trim())).status).toBe(200);
    const none = ["share", "nobody", "--from", from!, "-s", server.httpBase];
    const refused = await runClient(none, { env: { WAVECACHE_TOKEN: root.text } });
    expect(refused.err).toContain("no audio of nobody in this period");
  });
});
