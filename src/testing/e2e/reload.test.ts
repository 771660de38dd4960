/** A server whose configuration changes while clients use it: nothing that is open may end. */
import { expect, test } from "bun:test";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { maxRemovedTogether } from "../../base/limits/retention.ts";
import { fillCache } from "../fixtures/filled-cache.ts";
import { scrape } from "../harness/http/exposition.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

/** A server with a configuration file of its own. */
async function startWith(folder: string, text: string) {
  const file = join(folder, "wavecache.toml");
  const write = (changed: string): void => {
    writeFileSync(`${file}.new`, changed);
    renameSync(`${file}.new`, file);
  };
  write(text);
  return { write, server: await TestServer.start({ flags: { config: file } }) };
}

test("a limit that was a mistake stops removing as soon as it is taken back", async () => {
  using folder = temporaryFolder();
  const base = "[cache]\nmax-stream-bytes = 1000\n";
  const { server, write } = await startWith(folder.path, base);
  await using _ = server;
  await server.stop();
  const streams = 5_000;
  fillCache(server.cacheDir, { finished: streams, unfinished: 0, ageMs: 3_600_000 });
  await server.restart();
  const removed = async () => (await scrape(server.httpBase))?.sum("wavecache_retention_removed_total") ?? 0;
  write(base + "[retention]\nkeep-streams = '1m'\n");
  process.kill(server.pid, "SIGHUP");
  await until("the first to go", 10_000, async () => (await removed()) > 0);
  write(base);
  expect((await reload(server)).report.changed).toHaveLength(1);
  const left = await removed();
  await until("a look at the limits", 10_000, async () => {
    const answer = await fetch(`${server.httpBase}/api/retention/plan`);
    return ((await answer.json()) as { count: number }).count === 0;
  });
  // Long enough for many batches.
  await Bun.sleep(1_000);
  expect(await removed()).toBeLessThanOrEqual(left + 2 * maxRemovedTogether);
  expect(left).toBeLessThan(streams / 2);
});

interface Report {
  changed: { key: string; from: string; to: string }[];
  needRestart: { key: string }[];
}

async function reload(server: TestServer): Promise<{ status: number; report: Report; error: string }> {
  const response = await fetch(`${server.httpBase}/api/admin/reload`, { method: "POST" });
  const body = (await response.json()) as Report & { error?: { code: string; message: string } };
  return { status: response.status, report: body, error: `${body.error?.code}: ${body.error?.message}` };
}

test("kill -HUP amid uploads and recordings closes none of them, and new limits hold at once", async () => {
  using folder = temporaryFolder();
  const { server, write } = await startWith(folder.path, "[cache]\nmax-stream-bytes = 1000\n");
  await using _ = server;
  const uploads = await Promise.all(Array.from({ length: 8 }, () => AudioCachePeer.open(server.url)));
  const ids = uploads.map(() => freshId("reload"));
  await Promise.all(uploads.map((peer, index) => peer.start(ids[index]!)));
  await Promise.all(uploads.map((peer) => peer.sendAudio(new Uint8Array(900))));
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "device");
  device.send(countingPayload(0, 320));

  write(
    "[cache]\nmax-stream-bytes = 2000\n[recordings]\nrotate-seconds = 60\n[server]\nport = 1\npath = '/x'\n",
  );
  process.kill(server.pid, "SIGHUP");
  await server.untilLogged("cache.max-stream-bytes = 2000 (was 1000)");
  await server.untilLogged(/need a restart.*server\.path/);

  await Promise.all(uploads.map((peer) => peer.sendAudio(new Uint8Array(900))));
  await Promise.all(uploads.map((peer, index) => peer.stop(ids[index]!)));
  device.send(countingPayload(0, 320));
  await device.close();
  using late = await AudioCachePeer.open(server.url);
  await late.start(freshId("reload"));
  await late.sendAudio(new Uint8Array(2001));
  await late.expectError(/stream is larger than allowed/);
  expect(server.log).not.toContain("shutting down");
});

test("a mistake changes nothing, and is read in the log, in the answer and in the metrics", async () => {
  using folder = temporaryFolder();
  const { server, write } = await startWith(folder.path, "[cache]\nmax-stream-bytes = 1000\n");
  await using _ = server;
  write("[cache]\nmax-stream-bytes = 2000\nmax-streems = 3\n");
  const { status, error } = await reload(server);
  expect(status).toBe(422);
  expect(error).toMatch(
    /^CONFIG_INVALID: .*wavecache\.toml:3: unknown key cache\.max-streems; did you mean "max-streams"/,
  );
  await server.untilLogged("the configuration is not reloaded, and nothing changes");
  using peer = await AudioCachePeer.open(server.url);
  await peer.start(freshId("reload"));
  await peer.sendAudio(new Uint8Array(1001));
  await peer.expectError(/stream is larger than allowed/);
  const metrics = await scrape(server.httpBase);
  expect(metrics!.sum("wavecache_config_last_reload_failed")).toBe(1);
});

test("a request answers what has changed and what needs a restart, without secrets", async () => {
  using folder = temporaryFolder();
  const { server, write } = await startWith(folder.path, "");
  await using _ = server;
  write(`
[server]
path = "/other"
max-connections = 50
allow-origin = ["https://music.example"]
[access]
anonymous = "read:streams/**"
[retention]
keep-streams = "1GiB"
[songs]
udp-allow = "10.0.0.0/8"
[[events.hook]]
url = "https://x.example/hush"
`);
  // The watch of the file may be faster than the request.
  await server.untilLogged("the configuration is reloaded");
  expect(server.log).toContain("retention.keep-streams");
  expect(server.log).not.toContain("hush");
  const closed = await reload(server);
  expect(closed.status).toBe(401);
  const upload = await fetch(`${server.httpBase}/api/streams`, { method: "POST", body: "abc" });
  expect(upload.status).toBe(401);
  const metrics = await (
    await fetch(`${server.httpBase}/healthz`, { headers: { origin: "https://music.example" } })
  ).text();
  expect(metrics).not.toContain("FOREIGN_ORIGIN");
  write("");
  await server.untilLogged(/access\.anonymous = .*was .*read:streams/);
  const { status, report } = await reload(server);
  expect(status).toBe(200);
  expect(report).toMatchObject({ changed: [], needRestart: [] });
});

test("a webhook that a reload adds gets events, and one that it removes gets none", async () => {
  using folder = temporaryFolder();
  const received: string[] = [];
  await using receiver = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      received.push(((await request.json()) as { subject: string }).subject);
      return new Response();
    },
  });
  const allow = '[events]\nhook-allow = "127.0.0.0/8"\n';
  const { server, write } = await startWith(folder.path, allow);
  await using _ = server;
  using peer = await AudioCachePeer.open(server.url);
  write(`${allow}[[events.hook]]\nurl = "http://127.0.0.1:${receiver.port}/"\ntypes = "stream.finished"\n`);
  await server.untilLogged("events.hook");
  const [first, second] = [freshId("reload"), freshId("reload")];
  await peer.upload(first, new Uint8Array(100));
  await until("the event", 5000, () => received.length > 0);
  write(allow);
  await server.untilLogged(/events\.hook = \\"\\" \(was/);
  await peer.upload(second, new Uint8Array(100));
  expect(received).toEqual([`streams/${first}`]);
});
