/** GET /metrics: each metric changes as it should when something happens. */
import { expect, test } from "bun:test";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { Random } from "../harness/bytes.ts";
import type { Exposition } from "../../client/http/exposition.ts";
import { scrape } from "../harness/http/exposition.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { removeStream } from "../harness/http/streams.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1024 * 1024;
const limitMs = 10_000;
const frameSamples = 320;

async function metricsOf(server: TestServer): Promise<Exposition> {
  return (await scrape(server.httpBase))!;
}

/** Scrapes until a family has this sum. */
async function untilSum(
  server: TestServer,
  name: string,
  labels: Record<string, string>,
  wanted: number,
): Promise<Exposition> {
  let last: Exposition | undefined;
  return await until(
    `${name} ${JSON.stringify(labels)} of ${wanted}`,
    limitMs,
    async () => {
      last = await metricsOf(server);
      return last.sum(name, labels) === wanted ? last : undefined;
    },
    () => `it is ${last?.sum(name, labels)}`,
  );
}

test("the exposition is Prometheus text: every sample has a type and a help, and names have the conventional suffixes", async () => {
  await using server = await TestServer.start();
  const response = await fetch(`${server.httpBase}/metrics`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect((await fetch(`${server.httpBase}/metrics`, { method: "POST" })).status).toBe(405);
  const metrics = await metricsOf(server);
  expect(metrics.samples.length).toBeGreaterThan(50);
  for (const { name, value } of metrics.samples) {
    const family = name.replace(/_(?:bucket|sum|count)$/, "");
    const type = metrics.types.get(family);
    expect([name, type]).toEqual([name, expect.stringMatching(/^(?:counter|gauge|histogram)$/)]);
    expect([name, metrics.helps.get(family)]).toEqual([name, expect.stringMatching(/\.$/)]);
    if (type === "counter") expect(name).toEndWith("_total");
    expect([name, Number.isFinite(value)]).toEqual([name, true]);
  }
});

test("process metrics have the usual names, and the event loop delay is measured", async () => {
  await using server = await TestServer.start();
  const { residentBytes } = await server.memory();
  const metrics = await until("a delay was measured", limitMs, async () => {
    const fresh = await metricsOf(server);
    return fresh.sum("wavecache_event_loop_delay_seconds_count")! > 0 ? fresh : undefined;
  });
  expect(metrics.sum("process_cpu_seconds_total")).toBeGreaterThan(0.02);
  expect(metrics.sum("process_resident_memory_bytes")).toBeGreaterThan(residentBytes / 2);
  expect(metrics.sum("process_start_time_seconds")).toBeCloseTo(Date.now() / 1000, -2);
  expect(metrics.sum("wavecache_info")).toBe(1);
  const buckets = metrics.by("wavecache_event_loop_delay_seconds_bucket", "le");
  expect(buckets.get("+Inf")).toBe(metrics.sum("wavecache_event_loop_delay_seconds_count"));
});

test("uploads, downloads and removals are counted by gateway, in the cache and in the threads", async () => {
  await using server = await TestServer.start({ flags: { "max-cache-bytes": 64 * MiB } });
  const audio = new Random(1).bytes(MiB);
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("first", audio);
  await peer.upload("copy", audio);
  expect(await peer.download("first", audio.length)).toEqual(Buffer.from(audio));
  await peer.start("open");
  peer.socket.binary(audio.subarray(0, 1000));
  await peer.untilReceived("open", 1000);
  const metrics = await metricsOf(server);
  const labels = { door: "audio-cache" };
  expect(metrics.sum("wavecache_connections", labels)).toBe(1);
  expect(metrics.sum("wavecache_connections_total", labels)).toBe(1);
  expect(metrics.sum("wavecache_received_bytes_total", labels)).toBeGreaterThan(2 * MiB + 1000);
  expect(metrics.sum("wavecache_sent_bytes_total", labels)).toBeGreaterThan(MiB);
  expect(metrics.sum("wavecache_sent_bytes_total", labels)).toBeLessThan(1.1 * MiB);
  expect(metrics.by("wavecache_streams", "state")).toEqual(
    new Map([
      ["uploading", 1],
      ["finishing", 0],
      ["interrupted", 0],
      ["finished", 2],
    ]),
  );
  expect(metrics.sum("wavecache_cache_objects")).toBe(1);
  expect(metrics.sum("wavecache_cache_bytes", { kind: "object" })).toBe(MiB);
  expect(metrics.sum("wavecache_cache_bytes", { kind: "unfinished" })).toBe(1000);
  expect(metrics.sum("wavecache_cache_limit_bytes")).toBe(64 * MiB);
  expect(metrics.sum("wavecache_writer_slots")).toBe(1);
  expect(metrics.sum("wavecache_jobs_total", { job: "upload seal" })).toBe(2);
  expect(metrics.sum("wavecache_job_seconds_total", { job: "upload data" })).toBeGreaterThan(0);
  expect(metrics.sum("wavecache_jobs_total", { thread: "keeper", job: "finish" })).toBe(2);
  expect(metrics.sum("wavecache_ring_size_bytes", { thread: "writer 1", direction: "in" })).toBe(4 * MiB);
  await peer.close();
  await untilSum(server, "wavecache_streams", { state: "interrupted" }, 1);
  for (const id of ["first", "copy", "open"]) await removeStream(server.httpBase, id);
  const after = await untilSum(server, "wavecache_connections", labels, 0);
  expect([...after.by("wavecache_streams", "state").values()]).toEqual([0, 0, 0, 0]);
  expect(after.sum("wavecache_cache_objects")).toBe(0);
  expect(after.sum("wavecache_cache_bytes")).toBe(0);
  expect(after.sum("wavecache_connections_total", { door: "api" })).toBeGreaterThanOrEqual(3);
});

test("the streams of an earlier run are counted, and a resumed one is not counted twice", async () => {
  await using server = await TestServer.start();
  {
    using peer = await AudioCachePeer.open(server.url);
    await peer.upload("finished", new Random(2).bytes(5000));
    await peer.start("broken");
    peer.socket.binary(new Random(3).bytes(300));
    await peer.untilReceived("broken", 300);
  }
  await untilSum(server, "wavecache_streams", { state: "interrupted" }, 1);
  await server.restart();
  const metrics = await metricsOf(server);
  expect(metrics.sum("wavecache_streams", { state: "interrupted" })).toBe(1);
  expect(metrics.sum("wavecache_streams", { state: "finished" })).toBe(1);
  expect(metrics.sum("wavecache_cache_objects")).toBe(1);
  using peer = await AudioCachePeer.open(server.url);
  expect(await peer.resume("broken")).toBe(300);
  expect((await metricsOf(server)).sum("wavecache_streams", { state: "interrupted" })).toBe(0);
  await peer.stop("broken");
  expect((await metricsOf(server)).sum("wavecache_streams", { state: "finished" })).toBe(2);
});

test("errors are counted by gateway and code, and protocol violations by gateway", async () => {
  await using server = await TestServer.start();
  using peer = await AudioCachePeer.open(server.url);
  peer.get("nobody", 0, 10);
  await peer.expectError(/Failed to read/);
  peer.send({ type: "GET" });
  await peer.expectError("Missing streamId");
  expect((await fetch(`${server.httpBase}/api/streams/nobody`)).status).toBe(404);
  expect((await fetch(`${server.httpBase}/live/nobody.wav`)).status).toBe(404);
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "wrong");
  device.socket.binary(Buffer.from("no frame of any kind"));
  await device.closed();
  const metrics = await metricsOf(server);
  const errors = (gateway: string, code: string) =>
    metrics.sum("wavecache_errors_total", { door: gateway, code });
  expect(errors("audio-cache", "STREAM_UNKNOWN")).toBe(1);
  expect(errors("api", "STREAM_UNKNOWN")).toBe(1);
  expect(errors("live", "RECORDING_UNKNOWN")).toBe(1);
  expect(metrics.sum("wavecache_refused_messages_total", { door: "audio-cache" })).toBe(1);
  expect(metrics.sum("wavecache_refused_messages_total", { door: "ingest" })).toBe(1);
});

test("a recording counts its frames, lost frames and listeners while it is in progress", async () => {
  await using server = await TestServer.start();
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "mic");
  const send = () => device.send(countingPayload(0, frameSamples));
  for (let count = 0; count < 5; count += 1) send();
  device.seq += 3;
  send();
  const metrics = await untilSum(server, "wavecache_recorded_frames_total", {}, 6);
  expect(metrics.sum("wavecache_lost_frames_total")).toBe(3);
  expect(metrics.sum("wavecache_recordings")).toBe(1);
  expect(metrics.sum("wavecache_connections", { door: "ingest" })).toBe(1);
  expect(metrics.sum("wavecache_received_bytes_total", { door: "ingest" })).toBe(
    32 + 6 * (12 + 2 * frameSamples),
  );
  const leave = new AbortController();
  const listening = await fetch(`${server.httpBase}/live/mic.wav`, { signal: leave.signal });
  const heard = listening.body!.getReader();
  await heard.read();
  send();
  await heard.read();
  const live = await metricsOf(server);
  expect(live.sum("wavecache_live_listeners")).toBe(1);
  expect(live.sum("wavecache_connections", { door: "live" })).toBe(1);
  expect(live.sum("wavecache_sent_bytes_total", { door: "live" })).toBeGreaterThan(44);
  leave.abort();
  await device.close();
  await untilSum(server, "wavecache_recordings", {}, 0);
  const after = await untilSum(server, "wavecache_connections", { door: "live" }, 0);
  expect(after.sum("wavecache_live_listeners")).toBe(0);
});

test("live audio that a slow listener skips is counted", async () => {
  await using server = await TestServer.start();
  using device = await IngestDevice.open(server.httpBase, { ...pcmFormat, sampleRate: 48_000 }, "loud");
  const payload = countingPayload(0, frameSamples);
  device.send(payload);
  await untilSum(server, "wavecache_recordings", {}, 1);
  // The body is never read: the kernel buffers some of it, the server a little more.
  const deaf = await fetch(`${server.httpBase}/live/loud.wav`);
  await until("audio was skipped", limitMs, async () => {
    for (let count = 0; count < 500; count += 1) device.send(payload);
    return (await metricsOf(server)).sum("wavecache_live_dropped_bytes_total")! > 0;
  });
  await deaf.body!.cancel();
});

test("a crashed thread is counted, and the job counters of its replacement start at zero", async () => {
  await using server = await TestServer.start({
    flags: { workers: 1 },
    env: { WAVECACHE_FAILPOINTS: "upload.write*3=exit-worker" },
  });
  using peer = await AudioCachePeer.open(server.url);
  await peer.start("doomed");
  await until("the writer died", limitMs, async () => {
    peer.socket.binary(new Uint8Array(1000));
    return (await metricsOf(server)).sum("wavecache_thread_restarts_total", { thread: "writer 1" }) === 1;
  });
  const metrics = await metricsOf(server);
  expect(metrics.sum("wavecache_thread_restarts_total")).toBe(1);
  expect(metrics.sum("wavecache_jobs_total", { job: "upload data" }) ?? 0).toBe(0);
  expect(metrics.sum("wavecache_errors_total", { door: "audio-cache", code: "WORKER_LOST" })).toBe(1);
});
