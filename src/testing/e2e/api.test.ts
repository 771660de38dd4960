import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { ApiContract } from "../harness/http/contract.ts";
import { allRecordings } from "../harness/http/recordings.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { encodeWavHeader } from "../../codec/wav/wav.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

let server: TestServer;
let api: ApiContract;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "sync-seconds": 1 } });
  api = await ApiContract.open(server.httpBase);
});

afterAll(async () => {
  await server.dispose();
});

interface Failure {
  error: { code: string; message: string; hint: string; parameter?: string };
}

async function failure(method: string, target: string): Promise<Failure["error"] & { status: number }> {
  const response = await api.request(method, target);
  const { error } = (await response.json()) as Failure;
  return { ...error, status: response.status };
}

/** Puts a song with an old date into the library. Returns its name for a path. */
function putSong(): string {
  const path = join(server.folder, "library", "album", "song.wav");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, new Uint8Array(1000));
  utimesSync(path, 1000, 1000);
  return "album%2Fsong.wav";
}

/** Makes a recording. Returns its id. */
async function record(): Promise<number> {
  using device = await IngestDevice.open(server.httpBase, pcmFormat, "api");
  device.send(countingPayload(0, 320));
  await device.close();
  return await until("the recording", 10_000, async () => (await allRecordings(server.httpBase))[0]?.id);
}

/** Each answer that audio can get. */
async function requestAudio(path: string, notFound: string): Promise<void> {
  const ask = async (headers: Record<string, string>, method = "GET"): Promise<Response> =>
    await api.request(method, path, { headers });
  const whole = await ask({});
  expect(whole.status).toBe(200);
  expect((await ask({}, "HEAD")).status).toBe(200);
  expect((await ask({ range: "bytes=0-1" })).status).toBe(206);
  expect((await ask({ range: "bytes=0-0,-1" })).status).toBe(206);
  expect((await ask({ range: "bytes=99999999-" })).status).toBe(416);
  expect((await ask({ "if-none-match": whole.headers.get("etag")! })).status).toBe(304);
  expect((await ask({ "if-match": '"other"' })).status).toBe(412);
  expect((await api.request("GET", `${path}?format=mp3`)).status).toBe(400);
  expect((await api.request("GET", notFound)).status).toBe(404);
}

/** Each answer that audio can get which a client sends. */
async function store(id: string): Promise<void> {
  const path = `/api/streams/${id}/audio`;
  const body = "audio";
  const digest = `sha-256=:${new Bun.CryptoHasher("sha256").update(body).digest("base64")}:`;
  const put = async (headers: Record<string, string>): Promise<number> =>
    (await api.request("PUT", path, { body, headers })).status;
  expect(await put({ "if-match": '"x"' })).toBe(412);
  expect(await put({ "repr-digest": digest.replace(/=:../, "=:AA") })).toBe(400);
  expect(await put({ "repr-digest": digest })).toBe(201);
  expect(await put({ "repr-digest": digest })).toBe(200);
  expect(await put({})).toBe(409);
  expect((await api.request("POST", "/api/streams", { body })).status).toBe(201);
  const adopted = { body: "", headers: { "repr-digest": digest } };
  expect((await api.request("POST", "/api/streams", adopted)).status).toBe(201);
  const sha256 = new Bun.CryptoHasher("sha256").update(body).digest("hex");
  expect((await api.request("GET", `/api/objects/${sha256}`)).status).toBe(200);
  expect((await api.request("GET", "/api/objects/none")).status).toBe(404);
  const form = `--x\r\nContent-Disposition: form-data; name="f"; filename="a.wav"\r\n\r\n${body}\r\n--x--\r\n`;
  const headers = { "content-type": "multipart/form-data; boundary=x" };
  expect((await api.request("POST", "/api/streams", { body: form, headers })).status).toBe(201);
}

/** A song that is put into the library, replaced and removed. */
async function changeLibrary(): Promise<void> {
  const put = async (headers: Record<string, string>, name = "put.wav"): Promise<number> =>
    (await api.request("PUT", `/api/library/${name}`, { body: "audio", headers })).status;
  expect(await put({})).toBe(201);
  expect(await put({})).toBe(409);
  expect(await put({ "if-match": "*" })).toBe(200);
  expect(await put({ "if-match": '"other"' })).toBe(412);
  expect(await put({}, ".put.wav")).toBe(400);
  expect((await api.request("DELETE", "/api/library/put.wav")).status).toBe(204);
  expect((await api.request("DELETE", "/api/library/put.wav")).status).toBe(404);
}

/** Each operation of tus. */
async function uploadByTus(): Promise<void> {
  const version = { "tus-resumable": "1.0.0" };
  const tus = async (method: string, path: string, headers: Record<string, string>, body?: string) =>
    await api.request(method, path, { headers: { ...version, ...headers }, ...(body && { body }) });
  expect((await tus("OPTIONS", "/api/tus", {})).status).toBe(204);
  const created = await tus("POST", "/api/tus", { "upload-length": "5" });
  expect(created.status).toBe(201);
  const path = created.headers.get("location")!;
  expect((await tus("OPTIONS", path, {})).status).toBe(204);
  const chunk = { "upload-offset": "0", "content-type": "application/offset+octet-stream" };
  const wrong = { ...chunk, "upload-checksum": `sha1 ${Buffer.alloc(20).toString("base64")}` };
  expect((await tus("PATCH", path, { ...chunk, "tus-resumable": "2.0.0" }, "audio")).status).toBe(412);
  expect((await tus("PATCH", path, wrong, "audio")).status).toBe(460);
  expect((await tus("PATCH", path, { ...chunk, "content-type": "text/plain" }, "audio")).status).toBe(415);
  expect((await tus("PATCH", path, chunk, "too long")).status).toBe(413);
  expect((await tus("PATCH", path, chunk, "audio")).status).toBe(204);
  expect((await tus("PATCH", path, chunk, "audio")).status).toBe(409);
  expect((await tus("HEAD", path, {})).status).toBe(200);
  expect((await tus("DELETE", path, {})).status).toBe(204);
  expect((await tus("HEAD", path, {})).status).toBe(404);
}

/** The operations on access, which an open server allows everybody. */
async function requestAccess(id: string): Promise<void> {
  expect((await api.request("POST", `/api/streams/${id}/links?expires=1h`)).status).toBe(201);
  expect((await api.request("POST", `/api/streams/${id}/links?expires=2y`)).status).toBe(400);
  const period = "from=2026-01-01&to=2026-01-02";
  expect((await api.request("POST", `/api/recordings/nobody/links?${period}`)).status).toBe(404);
  expect((await api.request("POST", "/api/recordings/api/links?from=5&to=4")).status).toBe(400);
  expect((await api.request("POST", "/api/recordings/api/links?from=1&to=4102444800000")).status).toBe(201);
  expect((await api.request("GET", "/api/session")).status).toBe(200);
  expect((await api.request("POST", "/api/session")).status).toBe(401);
  expect((await api.request("DELETE", "/api/session")).status).toBe(204);
  expect((await api.request("GET", "/api/sessions")).status).toBe(200);
  expect((await api.request("DELETE", "/api/sessions/none")).status).toBe(404);
  expect((await api.request("GET", "/api/tokens")).status).toBe(200);
  expect((await api.request("GET", "/api/audit")).status).toBe(200);
  expect((await api.request("POST", "/api/admin/reload")).status).toBe(200);
  expect((await api.request("DELETE", "/api/tokens/none")).status).toBe(404);
  expect((await api.request("POST", "/api/tokens", { body: '{"grants":["fly"]}' })).status).toBe(400);
}

/** Each layout of peaks. */
async function requestPeaks(path: string): Promise<void> {
  for (const format of ["json", "dat"])
    expect((await api.request("GET", `${path}?points=5&format=${format}`)).status).toBe(200);
  expect((await api.request("GET", `${path}?points=0`)).status).toBe(400);
}

/** A second of a square wave. */
const toneWav = Buffer.concat([
  encodeWavHeader(16_000, 1, 32_000),
  new Uint8Array(Int16Array.from({ length: 16_000 }, (_, at) => (at % 8 < 4 ? 5000 : -5000)).buffer),
]);

/** The operations on retention. */
async function requestRetention(streamId: string, recording: number): Promise<void> {
  const usage = await api.request("GET", "/api/retention");
  expect(usage.status).toBe(200);
  expect(await usage.json()).toMatchObject({ node: null });
  expect((await api.request("GET", "/api/retention/history")).status).toBe(200);
  expect((await api.request("GET", "/api/retention/plan")).status).toBe(200);
  expect((await api.request("GET", "/api/retention/plan?limit=1001")).status).toBe(400);
  for (const method of ["PUT", "DELETE"]) {
    expect((await api.request(method, `/api/streams/${streamId}/pin`)).status).toBe(204);
    expect((await api.request(method, "/api/streams/none/pin")).status).toBe(404);
    expect((await api.request(method, `/api/recordings/${recording}/pin`)).status).toBe(204);
    expect((await api.request(method, "/api/recordings/4711/pin")).status).toBe(404);
    expect((await api.request(method, "/api/pins?device=api&from=1&to=2")).status).toBe(204);
    expect((await api.request(method, "/api/pins?device=api&from=2&to=2")).status).toBe(400);
    expect((await api.request("GET", "/api/pins")).status).toBe(200);
  }
}

async function upload(audio: Uint8Array = new Uint8Array(1000)): Promise<string> {
  using peer = await AudioCachePeer.open(server.url);
  const id = freshId("api");
  await peer.upload(id, audio);
  return id;
}

describe("the OpenAPI document", () => {
  test("describes every answer of every operation", async () => {
    const id = await upload();
    await api.request("GET", "/api/openapi.json");
    for (const list of ["streams", "recordings", "library", "devices"]) {
      expect((await api.request("GET", `/api/${list}?limit=1`)).status).toBe(200);
    }
    expect((await api.request("GET", `/api/streams/${id}`)).status).toBe(200);
    expect((await api.request("HEAD", `/api/streams/${id}`)).status).toBe(200);
    await store(`${id}-put`);
    await uploadByTus();
    await changeLibrary();
    await requestAudio(`/api/streams/${id}/audio`, "/api/streams/none/audio");
    await requestAudio(`/api/library/${putSong()}/audio`, "/api/library/none/audio");
    const recording = await record();
    await requestAudio(`/api/recordings/${recording}/audio`, "/api/recordings/4711/audio");
    await requestRetention(id, recording);
    expect((await api.request("GET", "/api/recorded?limit=1")).status).toBe(200);
    expect((await api.request("GET", "/api/recordings/api/timeline")).status).toBe(200);
    expect((await api.request("GET", "/api/recordings/nobody/timeline")).status).toBe(404);
    const change = (body: string) => api.request("PATCH", `/api/streams/${id}`, { body });
    expect((await change('{"title":"T"}')).status).toBe(200);
    expect((await change("{")).status).toBe(400);
    expect((await change(" ".repeat(70_000))).status).toBe(413);
    await requestAccess(id);
    await requestPeaks("/api/recordings/api/peaks");
    expect((await api.request("GET", "/api/recordings/nobody/peaks")).status).toBe(404);
    expect((await api.request("GET", "/api/recordings/api/levels?points=5")).status).toBe(200);
    expect((await api.request("GET", "/api/recordings/nobody/levels")).status).toBe(404);
    writeFileSync(join(server.folder, "library", "tone.wav"), toneWav);
    await requestPeaks("/api/library/tone.wav/peaks");
    await requestPeaks(`/api/streams/${await upload(toneWav)}/peaks`);
    expect((await api.request("GET", "/api/streams/none/peaks")).status).toBe(404);
    expect((await api.request("GET", "/api/library/none/peaks")).status).toBe(404);
    expect((await api.request("GET", "/api/recordings/api/sounds?kind=sound")).status).toBe(200);
    for (const feed of ["levels", "devices"])
      expect((await api.request("HEAD", `/api/live/${feed}`)).status).toBe(200);
    const hour = "from=2026-01-01T00:00Z&to=2026-01-01T01:00Z";
    expect((await api.request("GET", `/api/recordings/api/audio/manifest?${hour}`)).status).toBe(404);
    expect((await api.request("GET", `/api/recordings/api/audio?${hour}`)).status).toBe(404);
    expect((await api.request("DELETE", `/api/recordings/api?${hour}`)).status).toBe(200);
    expect((await api.request("DELETE", "/api/recordings/4711")).status).toBe(404);
    expect((await api.request("DELETE", `/api/streams/${id}`)).status).toBe(204);
    expect((await api.request("DELETE", `/api/streams/${id}`)).status).toBe(404);
    expect((await api.request("GET", "/api/devices/nobody")).status).toBe(404);
    for (const action of [
      "play",
      "stop",
      "mode",
      "buttons/mode",
      "buttons/none",
      "buttons/stop?event=hold",
    ]) {
      expect((await api.request("POST", `/api/devices/nobody/${action}`)).status).toBe(404);
    }
    expect((await api.request("GET", "/api/events?follow=0")).status).toBe(200);
    expect((await api.request("HEAD", "/api/events")).status).toBe(200);
    expect((await api.request("GET", "/api/events/types")).status).toBe(200);
    expect((await api.request("GET", "/api/hooks")).status).toBe(200);
    expect((await api.request("GET", "/api/hooks/none/failed")).status).toBe(404);
    for (const act of ["replay", "test"])
      expect((await api.request("POST", `/api/hooks/none/${act}`)).status).toBe(404);
    expect(api.untried).toEqual([]);
  });

  test("is OpenAPI 3.1 with an operation id of its own for each operation", () => {
    const document = api.document as unknown as { openapi: string };
    expect(document.openapi).toBe("3.1.0");
    const ids = Object.values(api.document.paths)
      .flatMap((methods) => Object.values(methods))
      .map((each) => (each as unknown as { operationId: string }).operationId);
    expect(ids.length).toBeGreaterThan(8);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("a wrong query", () => {
  for (const [target, parameter] of [
    ["/api/streams?limit=0", "limit"],
    ["/api/streams?limit=1001", "limit"],
    ["/api/streams?limit=1e2", "limit"],
    ["/api/streams?limit=5&limit=6", "limit"],
    ["/api/streams?state=done", "state"],
    ["/api/streams?lmit=5", "lmit"],
    ["/api/streams?__proto__=5", "__proto__"],
    ["/api/streams?sort=color", "sort"],
    ["/api/streams?from=yesterday", "from"],
    [`/api/streams?q=${"x".repeat(257)}`, "q"],
    ["/api/streams?sort=size&after=x", "after"],
    ["/api/streams?sort=size&after=WyJ0aXRsZSIsInQiLDFd", "after"],
    ["/api/streams?tag.=x", "tag."],
    ["/api/streams?tag.a=x&tag.a=y", "tag.a"],
    [`/api/streams?tag.a=${"x".repeat(513)}`, "tag.a"],
    [`/api/streams?${"abcdefghi".replaceAll(/./g, "tag.$&=x&")}`, "tag.*"],
    ["/api/recordings?from=yesterday", "from"],
    ["/api/recordings?after=1", "after"],
    ["/api/recordings/x/peaks?from=5&to=4", "to"],
    ["/api/recordings/x/peaks?from=2025-01-01&to=2025-03-01", "from"],
    ["/api/recordings/x/peaks?points=8193", "points"],
    ["/api/recordings/x/levels?from=5&to=4", "to"],
    ["/api/recordings/x/levels?points=0", "points"],
    ["/api/recordings/x/sounds?after=1", "after"],
    ["/api/live/levels?device=%25", "device"],
    ["/api/recordings/x/timeline?to=2025-01-31T09:05", "to"],
    ["/api/library?q=x", "q"],
    ["/api/devices?connected=yes", "connected"],
    ["/api/openapi.json?x", "x"],
    ["/api/events?type=song.*", "type"],
    ["/api/events?subject=a{b}", "subject"],
  ] as const) {
    test(`is refused with the name of its parameter: ${target}`, async () => {
      expect(await failure("GET", target)).toMatchObject({ status: 400, code: "BAD_REQUEST", parameter });
    });
  }

  test("names what would be right, and never repeats its own text", async () => {
    const { message } = await failure("GET", "/api/streams?state=<script>");
    expect(message).toContain("expected one of finished, unfinished");
    expect(message).not.toContain("script");
    expect((await failure("GET", "/api/streams?lmit=1")).message).toContain("known: state, after, limit");
  });
});

describe("an address without an operation", () => {
  test("is 404 with a code", async () => {
    for (const path of ["/api/", "/api/nothing", "/api/streams/a/b", "/api/devices/x/jump"]) {
      expect(await failure("GET", path)).toMatchObject({ status: 404, code: "ROUTE_UNKNOWN" });
    }
  });

  test("lists its methods in Allow if it has others", async () => {
    const response = await api.request("POST", "/api/streams/x");
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, HEAD, PATCH, DELETE");
    expect(await failure("DELETE", "/api/library")).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
    const options = await api.request("OPTIONS", "/api/devices/x/play");
    expect([options.status, options.headers.get("allow")]).toEqual([204, "POST"]);
  });
});
