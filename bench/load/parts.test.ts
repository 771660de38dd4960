/** The parts of the load bench whose faults its table would not show. */
import { describe, expect, test } from "bun:test";
import { Exposition } from "../../src/client/http/exposition.ts";
import { Noise, StreamAudio } from "./audio.ts";
import { metricsProbe, observedProcess, parsePs, processProbe, withUsage } from "./figures.ts";
import { insideBetween, quantile } from "./inside.ts";
import { Latency } from "./latency.ts";
import { spread } from "./summary.ts";

const frameBytes = 1000;
const whole = (audio: StreamAudio) =>
  Buffer.concat(Array.from({ length: audio.frames }, (_, frame) => audio.frame(frame)));
const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

describe("the audio of a stream", () => {
  const noise = new Noise(frameBytes);

  test("has its size and SHA-256, also where it wraps around the noise", () => {
    for (const [index, bytes] of [
      [0, 2500],
      [127, 9_000_100],
      [3, 1],
    ] as const) {
      const audio = new StreamAudio(noise, index, bytes, frameBytes);
      expect(whole(audio).length).toBe(bytes);
      expect(audio.sha256).toBe(sha256(whole(audio)));
    }
  });

  test("is the same in frames of any length", () => {
    const long = new StreamAudio(noise, 127, 9_000_100, frameBytes);
    const short = new StreamAudio(noise, 127, 9_000_100, 700);
    expect(short.frames).toBeGreaterThan(long.frames);
    expect(short.sha256).toBe(long.sha256);
  });

  test("matches at any offset, across frames and around the noise, and matches nothing else", () => {
    const audio = new StreamAudio(noise, 127, 9_000_100, frameBytes);
    const all = whole(audio);
    for (const [offset, length] of [
      [0, 5000],
      [999, 2],
      [7_900_000, 900_000],
      [8_999_900, 200],
    ] as const) {
      const bytes = Buffer.from(all.subarray(offset, offset + length));
      expect(audio.isAt(offset, bytes)).toBe(true);
      expect(audio.from(offset, length).length).toBeGreaterThan(0);
      bytes[length - 1]! ^= 1;
      expect(audio.isAt(offset, bytes)).toBe(false);
    }
    expect(audio.isAt(9_000_099, all.subarray(9_000_098))).toBe(false);
  });

  test("differs between streams and rounds", () => {
    const digests = [0, 1, 2].flatMap((index) => {
      const audio = new StreamAudio(noise, index, 5000, frameBytes);
      return [0, 1].map((round) => {
        audio.stamp(index, round);
        expect(audio.sha256).toBe(sha256(whole(audio)));
        return audio.sha256;
      });
    });
    expect(new Set(digests).size).toBe(6);
  });

  test("tells its frames from a changed byte, a short frame and an extra frame", () => {
    const audio = new StreamAudio(noise, 5, 2500, frameBytes);
    const frame = Buffer.from(audio.frame(1));
    expect(audio.isFrame(1, frame)).toBe(true);
    expect(audio.isFrame(0, frame)).toBe(false);
    expect(audio.isFrame(1, frame.subarray(1))).toBe(false);
    frame[999]! ^= 1;
    expect(audio.isFrame(1, frame)).toBe(false);
    expect(audio.isFrame(3, frame)).toBe(false);
  });
});

test("percentiles are of what was recorded, in milliseconds", () => {
  const latency = new Latency();
  for (let ms = 1; ms <= 1000; ms += 1) latency.record(ms);
  const { count, p50, p90, p99, p999, max } = latency.percentiles();
  expect(count).toBe(1000);
  expect(Math.abs(p50 - 500)).toBeLessThan(1);
  expect(Math.abs(p90 - 900)).toBeLessThan(1);
  expect(Math.abs(p99 - 990)).toBeLessThan(1);
  expect(Math.abs(p999 - 999)).toBeLessThan(1);
  expect(Math.abs(max - 1000)).toBeLessThan(1);
});

test("the median of an even number of rounds is the mean of the middle two", () => {
  expect(spread([4, 1, 3, 2])).toEqual({ median: 2.5, min: 1, max: 4 });
  expect(spread([9, 1, 5])).toEqual({ median: 5, min: 1, max: 9 });
});

function burn(): Promise<void> {
  const began = performance.now();
  while (performance.now() - began < 100);
  return Promise.resolve();
}

describe("figures of a server", () => {
  test("are parsed from the ps of macOS and Linux", () => {
    expect(parsePs("  0:01.25  20480\n")).toMatchObject({ cpuSeconds: 1.25, residentBytes: 20_971_520 });
    expect(parsePs("01:02:03 1")).toMatchObject({ cpuSeconds: 3723, residentBytes: 1024 });
    expect(parsePs("2-00:00:01 1")).toMatchObject({ cpuSeconds: 172_801 });
    expect(parsePs("")).toBeUndefined();
  });

  test("are read from metrics, and undefined without them", async () => {
    const text =
      "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total 1.5\n" +
      'process_resident_memory_bytes{app="x"} 4.096e+6 1395066363000\n';
    const routes = { "/metrics": new Response(text) };
    await using server = Bun.serve({ port: 0, routes, fetch: () => new Response("", { status: 404 }) });
    const httpBase = `http://127.0.0.1:${server.port}`;
    expect(await metricsProbe(httpBase)()).toMatchObject({ cpuSeconds: 1.5, residentBytes: 4_096_000 });
    expect(await metricsProbe(`${httpBase}/none`)()).toBeUndefined();
  });

  test("count the processor time of a running process, and none of an exited one", async () => {
    const [, usage] = await withUsage(observedProcess(process.pid), burn);
    expect(usage.cpuSeconds).toBeGreaterThan(0);
    expect(usage.benchCpuSeconds).toBeGreaterThan(0);
    expect(usage.peakResidentBytes).toBeGreaterThan(1_000_000);
    const ended = Bun.spawn([process.execPath, "--version"], { stdout: "ignore" });
    await ended.exited;
    expect(await processProbe(ended.pid)()).toBeUndefined();
  });
});

/** Metrics of a server with two writers. */
function metrics(busy: number, late: number, ring: number): Exposition {
  return new Exposition(
    `wavecache_job_seconds_total{thread="writer 1",job="upload data"} ${busy}\n` +
      `wavecache_job_seconds_total{thread="writer 1",job="background"} ${busy / 10}\n` +
      'wavecache_job_seconds_total{thread="writer 2",job="upload data"} 0.5\n' +
      'wavecache_event_loop_delay_seconds_bucket{le="0.5"} 0\n' +
      `wavecache_event_loop_delay_seconds_bucket{le="1"} ${late}\n` +
      `wavecache_event_loop_delay_seconds_bucket{le="+Inf"} ${late}\n` +
      'wavecache_ring_size_bytes{thread="writer 1",direction="in"} 1000\n' +
      `wavecache_ring_byte_seconds_total{thread="writer 1",direction="in"} ${ring}\n`,
  );
}

/** Cumulative counts up to these bounds. */
function counts(...values: number[]): Map<string, number> {
  return new Map(["0.1", "0.2", "0.4", "+Inf"].map((le, index) => [le, values[index]!]));
}

describe("the inner state of a server", () => {
  test("is the growth of its metrics over the time between two scrapes", () => {
    const inside = insideBetween(
      { at: 1000, metrics: metrics(10, 7, 100) },
      { at: 3000, metrics: metrics(11, 107, 700) },
    )!;
    expect(inside.busiestWriter).toBeCloseTo(0.55);
    expect(inside.busiestReader).toBe(0);
    expect(inside.loopDelayP99Ms).toBeCloseTo(995);
    expect(inside.fullestRing).toEqual({ ring: "writer 1 in", share: 0.3 });
  });

  test("is undefined for a server without these metrics", () => {
    const foreign = new Exposition("process_cpu_seconds_total 1\n");
    expect(insideBetween({ at: 0, metrics: foreign }, { at: 1, metrics: foreign })).toBeUndefined();
    expect(insideBetween({ at: 0, metrics: undefined }, { at: 1, metrics: foreign })).toBeUndefined();
  });

  test("has quantiles within their buckets", () => {
    expect(quantile(counts(100, 100, 100, 100), 0.5)).toBeCloseTo(0.05);
    expect(quantile(counts(0, 100, 100, 100), 0.99)).toBeCloseTo(0.199);
    expect(quantile(counts(98, 98, 100, 100), 0.99)).toBeCloseTo(0.3);
    expect(quantile(counts(0, 0, 0, 100), 0.99)).toBe(0.4);
    expect(quantile(counts(0, 0, 0, 0), 0.99)).toBe(0);
  });
});
