/** The load bench as its user runs it, with tiny inputs to be fast; the figures are not judged here. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import * as v from "valibot";
import { temporaryFolder } from "../../src/testing/fixtures/temporary-folder.ts";
import { decodeRequest, encodeStarted, encodeStopped } from "../../src/wire/audio-cache.ts";

setDefaultTimeout(60_000);

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

const anySpeed = ["--target-upload-mbps", "0.001", "--target-download-mbps", "0.001"];
/** Streams that end within a frame. */
const tiny = ["--streams", "3", "--bytes-per-stream", "20000", "--frame-bytes", "8KiB", "--rounds", "2"];

interface Finished {
  code: number;
  out: string;
  err: string;
}

async function bench(script: string, ...args: string[]): Promise<Finished> {
  const command = [process.execPath, join(import.meta.dir, script), ...args];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, err };
}

async function figuresOf<T>(path: string, schema: v.GenericSchema<unknown, T>): Promise<T> {
  return v.parse(schema, await Bun.file(path).json());
}

const positive = v.pipe(v.number(), v.gtValue(0));
const spread = v.object({ median: positive, min: positive, max: positive });
const share = v.object({ ours: spread, ceiling: spread, share: spread });
const latency = v.object({ count: v.number(), p50: positive, p90: positive, p99: positive, max: positive });

const report = v.object({
  passed: v.boolean(),
  errors: v.array(v.string()),
  rounds: v.array(v.object({ upload: v.object({ bytes: v.number() }) })),
  summary: v.object({
    uploadMbps: spread,
    downloadMbps: spread,
    latencyMs: v.object({ start: latency, get: latency, stop: latency }),
    shares: v.object({
      uploadOfSink: share,
      uploadOfHashSink: share,
      uploadOfHash: share,
      uploadOfWrites: share,
      downloadOfSender: share,
      downloadOfAnswerer: share,
      downloadOfCopy: share,
    }),
  }),
});

describe("the load bench", () => {
  test("uploads and downloads every stream beside all ceilings, and writes its figures", async () => {
    const json = join(folder.path, "load.json");
    const { code, out, err } = await bench("main.ts", ...tiny, ...anySpeed, "--json", json);
    expect([err, code]).toEqual(["", 0]);
    expect(out).toContain("every byte came back as it was sent");
    const { errors, rounds, summary } = await figuresOf(json, report);
    expect(errors).toEqual([]);
    expect(rounds.map((round) => round.upload.bytes)).toEqual([60_000, 60_000]);
    expect(summary.latencyMs.start.count).toBe(6);
    expect(summary.latencyMs.get.count).toBe(18);
    expect(summary.latencyMs.stop.count).toBe(6);
  });

  test("does the same with a token on a closed server", async () => {
    const { code, err, out } = await bench(
      "main.ts",
      ...tiny,
      ...anySpeed,
      "--with-token",
      "--without-ceilings",
    );
    expect([err, code]).toEqual(["", 0]);
    expect(out).toContain("every byte came back as it was sent");
  });

  test("does the same over protocol v1, and compares the protocols", async () => {
    const v1 = ["--protocol", "v1", "--connections", "2", "--without-ceilings"];
    const { err, out } = await bench("main.ts", ...tiny, ...anySpeed, ...v1);
    expect(err).toBe("");
    expect(out).toContain("every byte came back as it was sent");
    expect(out).toMatch(/v1 +2 +[\d.]+ Mbit\/s +[\d.]+ Mbit\/s/);
    expect(out).toMatch(/upload over v1 \/ older protocol, [\d.]+ times: (met|MISSED)/);
    const wrong = await bench("main.ts", "--protocol", "v2");
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("--protocol")]);
  });

  test("fails and names the target if a target is missed", async () => {
    const missed = ["--target-upload-mbps", "0.001", "--target-download-mbps", "100000000"];
    const { code, out } = await bench("main.ts", ...tiny, ...missed, "--without-ceilings");
    expect(code).toBe(1);
    expect(out).toMatch(/upload of \d+ Mbit\/s: met/);
    expect(out).toMatch(/download of \d+ Mbit\/s: MISSED/);
  });

  test("keeps its pace, and counts the latency of every request from its intended time", async () => {
    const json = join(folder.path, "paced.json");
    const paced = ["--streams", "4", "--rate-mbps", "2", "--seconds", "1", "--frame-bytes", "16KiB"];
    const { code, out, err } = await bench("main.ts", ...paced, "--target-p99-ms", "60000", "--json", json);
    expect([err, code]).toEqual(["", 0]);
    expect(out).toContain("LATENCY from the intended time");
    const schema = v.object({
      offeredMbps: v.number(),
      upload: v.object({ bytes: v.number(), mbps: v.number() }),
      latencyMs: v.object({ start: latency, get: latency, stop: latency, benchLate: latency }),
    });
    const figures = await figuresOf(json, schema);
    expect(figures.offeredMbps).toBe(8);
    expect(figures.upload.bytes).toBe(4 * 15 * 16_384);
    // It may fall behind on a busy machine, but cannot be faster than its schedule: 15 frames of 65.5 ms.
    expect(figures.upload.mbps).toBeLessThan(8.6);
    expect(figures.latencyMs.get.count).toBe(60);
    expect(figures.latencyMs.start.count).toBe(4);
  });

  test.each([
    [["--frame-bytes", "64KB"], "--frame-bytes"],
    [["--streams", "0"], "--streams"],
    [["--rate-mbps", "fast"], "--rate-mbps"],
    [["--server", "http://127.0.0.1/"], "WebSocket address"],
    [["--quick"], "--quick"],
  ])("rejects %p with one line", async (args, what) => {
    const { code, err } = await bench("main.ts", ...args);
    expect(code).toBe(2);
    expect(err).toContain(what);
    expect(err.trim().split("\n").length).toBe(1);
  });
});

/** A server of the protocol that misbehaves in the way that `fault` says. */
function wrongServer(fault: "byte" | "digest" | "close") {
  return Bun.serve<{ audio: Uint8Array[]; id: string }>({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const data = { audio: [], id: "" };
      return server.upgrade(request, { data }) ? undefined : new Response("no", { status: 404 });
    },
    websocket: {
      message(socket, message) {
        if (typeof message !== "string") return void socket.data.audio.push(message.slice());
        const request = decodeRequest(message);
        const whole = Buffer.concat(socket.data.audio);
        if (request.type === "START") return void socket.send(encodeStarted("upper", request.streamId!));
        if (request.type === "STOP") {
          const sha256 = new Bun.CryptoHasher("sha256").update(whole).digest("hex");
          const claimed = fault === "digest" ? sha256.toUpperCase().replace(/^./, "x") : sha256;
          return void socket.send(encodeStopped("upper", request.streamId!, whole.length, claimed));
        }
        if (request.type !== "GET") return;
        if (fault === "close") return socket.close(1011, "no more");
        const answer = whole.subarray(request.offset, request.offset + request.length);
        if (request.offset === 16_384) answer[answer.length - 1]! ^= 1;
        socket.send(answer);
      },
    },
  });
}

describe("the load bench against a running server", () => {
  test.each([
    ["byte", "wrong audio in the 3616 bytes at offset 16384"],
    ["digest", "STOPPED says 20000 bytes"],
    ["close", "the server closed with 1011 no more"],
  ] as const)("fails if the server misbehaves: %s", async (fault, error) => {
    const server = wrongServer(fault);
    const address = ["--server", `ws://127.0.0.1:${server.port}/audio`];
    const { code, out } = await bench("main.ts", ...tiny, ...anySpeed, ...address, "--without-ceilings");
    await server.stop(true);
    expect(code).toBe(1);
    expect(out).toContain(error);
    expect(out).not.toContain("every byte came back");
    expect(out).toContain("4 streams stay on the server");
  });

  test("fails with one line without a server", async () => {
    const { code, err } = await bench("main.ts", ...tiny, "--server", "ws://127.0.0.1:1/audio");
    expect(code).toBe(1);
    expect(err).toContain("cannot reach the server");
  });
});

test("the HTTP bench loads each route without a failure", async () => {
  const json = join(folder.path, "http.json");
  const few = ["--connections", "2", "--seconds", "1", "--streams", "3"];
  const { code, err } = await bench("http.ts", ...few, "--json", json);
  expect([err, code]).toEqual(["", 0]);
  const route = v.object({ route: v.string(), requestsPerSecond: positive, failures: v.literal(0) });
  const { figures } = await figuresOf(json, v.object({ figures: v.array(route) }));
  expect(figures.map(({ route }) => route)).toEqual([
    "/healthz",
    "/api/streams",
    "/api/streams/http-0",
    "/metrics",
  ]);
});

test("the search for the largest number of devices ends at the number given", async () => {
  const json = join(folder.path, "find-max.json");
  const tiny = ["--streams", "2", "--most", "4", "--seconds", "1", "--json", json];
  // This tests the search: on a busy machine anything may be late.
  const patient = ["--late-ms", "60000", "--generator-late-ms", "60000"];
  const { code, out, err } = await bench("ingest.ts", "--find-max", ...tiny, ...patient);
  expect([err, code]).toEqual(["", 0]);
  expect(out).toContain("4 devices hold; more were not tried");
  const attempt = v.object({ streams: v.number(), outcome: v.string(), recordedFrames: v.number() });
  const { attempts } = await figuresOf(json, v.object({ attempts: v.array(attempt) }));
  expect(attempts).toEqual([
    { streams: 2, outcome: "held", recordedFrames: 100 },
    { streams: 4, outcome: "held", recordedFrames: 200 },
  ]);
});

test("the start bench fills a cache, starts the server on it, and waits for the end of the check", async () => {
  const json = join(folder.path, "start.json");
  const few = ["--finished", "300", "--unfinished", "20", "--starts", "2", "--requests", "3"];
  const { code, out, err } = await bench("start.ts", ...few, "--json", json);
  expect([err, code]).toEqual(["", 0]);
  expect(out).toContain("300 finished streams, 20 interrupted uploads");
  const start = v.object({ readyMs: positive, residentBytes: positive });
  const { starts } = await figuresOf(json, v.object({ starts: v.array(start), checkSeconds: positive }));
  expect(starts).toHaveLength(2);
});

test("the churn bench rejects a duration too short to show growth", async () => {
  const { code, err } = await bench("churn.ts", "--minutes", "0.001");
  expect(code).toBe(2);
  expect(err).toContain("--minutes");
});

test("the churn bench lets clients disconnect in every way, and samples the server's resources", async () => {
  const json = join(folder.path, "churn.json");
  const few = ["--minutes", "0.04", "--clients", "3", "--bytes", "20000", "--tolerance", "1000"];
  const { code, out, err } = await bench("churn.ts", ...few, "--json", json);
  expect([err, code]).toEqual(["", 0]);
  expect(out).toContain("Nothing grew");
  const growth = v.object({ name: v.string(), early: v.number(), late: v.number(), grew: v.literal(false) });
  const counts = v.object({ finished: positive, unfinished: positive, cut: positive, errors: v.tuple([]) });
  const report = await figuresOf(json, v.object({ counts, growth: v.array(growth) }));
  const resident = report.growth.find(({ name }) => name === "resident memory");
  expect(resident!.early).toBeGreaterThan(10_000_000);
  expect(report.growth.find(({ name }) => name === "slots of the writers")!.late).toBeLessThanOrEqual(3);
});
