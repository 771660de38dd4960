/** Traces: an upload, a read, a segment of a recording and a webhook, as a collector of OpenTelemetry gets them. */
import { expect, test } from "bun:test";
import { Random } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { audioPath } from "../harness/http/http-upload.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { type CollectedSpan, TraceCollector } from "../harness/servers/trace-collector.ts";
import { until } from "../harness/until.ts";

useServers();

const audio = new Random(1).bytes(200_000);
const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const callerSpan = "00f067aa0ba902b7";
const traceparent = `00-${traceId}-${callerSpan}-01`;

function startTraced(collector: TraceCollector, flags: Record<string, string | number> = {}) {
  return TestServer.start({ flags: { "otlp-url": collector.url, ...flags } });
}

async function spanNamed(collector: TraceCollector, name: string): Promise<CollectedSpan> {
  return await until(`the span of ${name}`, 10_000, () => collector.named(name)[0]);
}

test("an upload and a read over HTTP are parts of the caller's trace, and the commit of the upload", async () => {
  using collector = new TraceCollector();
  await using server = await startTraced(collector, { "trace-ratio": 0 });
  const url = server.httpBase + audioPath("traced");
  await fetch(url, { method: "PUT", body: audio, headers: { traceparent, "x-request-id": "tour-7" } });
  await (await fetch(url, { headers: { traceparent } })).bytes();
  await fetch(server.httpBase + audioPath("unsampled"), {
    method: "PUT",
    body: audio,
    headers: { traceparent: traceparent.replace(/1$/, "0") },
  });
  const upload = await spanNamed(collector, "upload");
  expect(upload).toMatchObject({ traceId, parentSpanId: callerSpan, status: { code: 0 } });
  expect(upload.attributes).toEqual({
    "wavecache.stream": "traced",
    "wavecache.how": "restart",
    "wavecache.request": "tour-7",
    "wavecache.outcome": "stored",
    "wavecache.bytes": audio.length,
  });
  expect(BigInt(upload.endTimeUnixNano)).toBeGreaterThan(BigInt(upload.startTimeUnixNano));
  expect(await spanNamed(collector, "commit")).toMatchObject({ traceId, parentSpanId: upload.spanId });
  expect(await spanNamed(collector, "read")).toMatchObject({ traceId, parentSpanId: callerSpan });
  expect(collector.resources[0]).toMatchObject({ "service.name": "wavecache" });
  await server.stop();
  // The caller does not record the other upload, and of traces without a caller none is recorded.
  expect(collector.named("upload")).toHaveLength(1);
});

test("uploads and reads of WebSockets and segments of recordings are traces of their own", async () => {
  using collector = new TraceCollector();
  await using server = await startTraced(collector);
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(freshId("own"), audio);
  using interrupted = await V1Peer.open(server.url);
  interrupted.create(1, "cut");
  await interrupted.write(1, audio, 0, 1000);
  interrupted.socket[Symbol.dispose]();
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "device");
  device.send(countingPayload(0, 320));
  await device.close();
  await server.untilLogged("a recording ended");
  expect(await server.stop()).toBe(0);
  const uploads = collector.named("upload");
  const outcomes = uploads.map(({ attributes }) => attributes["wavecache.outcome"]);
  expect(outcomes.toSorted()).toEqual(["stored", "unfinished"]);
  const [segment] = collector.named("recording segment");
  expect(segment!.attributes).toMatchObject({ "wavecache.device": "device", "wavecache.frames": 1 });
  expect(new Set([...uploads, segment!].map((span) => span.traceId)).size).toBe(3);
});

test("a webhook carries its trace to the receiver, and fails in it", async () => {
  using collector = new TraceCollector();
  const headers: (string | null)[] = [];
  using receiver = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ headers: received }) => {
      headers.push(received.get("traceparent"));
      return new Response(null, { status: headers.length === 1 ? 500 : 200 });
    },
  });
  const hook = `http://127.0.0.1:${receiver.port}/`;
  await using server = await startTraced(collector, { hook, "hook-allow": "127.0.0.0/8" });
  await until("two deliveries", 20_000, () => headers.length >= 2);
  await until("their spans", 10_000, () => collector.named("webhook").length >= 2);
  const [failed, delivered] = collector.named("webhook");
  expect(headers.slice(0, 2)).toEqual(
    [failed!, delivered!].map((span) => `00-${span.traceId}-${span.spanId}-01`),
  );
  expect([failed!.status.code, delivered!.status.code]).toEqual([2, 0]);
  expect(server.isRunning).toBe(true);
});

test("a collector that takes nothing costs its spans and a line of the log, not the uploads", async () => {
  using collector = new TraceCollector();
  collector.status = 400;
  await using server = await startTraced(collector);
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(freshId("lost"), audio);
  await server.untilLogged("the collector does not take traces");
  const failed = (await scrape(server.httpBase))!.sum("wavecache_trace_spans_total", { result: "failed" });
  expect(failed).toBeGreaterThan(0);
  expect(await server.stop()).toBe(0);
});

test("without a collector nothing is traced or loaded, and a traceparent is no error", async () => {
  await using server = await TestServer.start();
  const answer = await fetch(server.httpBase + audioPath("x"), {
    method: "PUT",
    body: audio,
    headers: { traceparent },
  });
  expect(answer.headers.get("x-request-id")).toBe(traceId);
  expect((await scrape(server.httpBase))!.sum("wavecache_trace_spans_total")).toBe(0);
});
