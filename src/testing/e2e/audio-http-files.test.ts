/** Songs of the library, and recordings, over plain HTTP. The rules of ranges are those of streams (audio-http.test.ts). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { Random, sha256 } from "../harness/bytes.ts";
import { flipByte } from "../harness/damage.ts";
import { type AudioAnswer, partsOf, requestAudio } from "../harness/http/audio-http.ts";
import { allRecordings, type ListedRecording } from "../harness/http/recordings.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const longAgo = 1_000_000_000;

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "sync-seconds": 1 } });
});

afterAll(async () => {
  await server.dispose();
});

function ask(target: string, headers: Record<string, string> = {}, method = "GET"): Promise<AudioAnswer> {
  return requestAudio(server.httpBase, target, { method, headers });
}

function codeOf({ status, body }: AudioAnswer): string {
  const { error } = JSON.parse(body.toString()) as { error: { code: string } };
  return `${status} ${error.code}`;
}

function expectBytes(answer: AudioAnswer, status: number, bytes: Uint8Array): void {
  expect([answer.status, answer.isComplete]).toEqual([status, true]);
  expect(Buffer.compare(answer.body, bytes)).toBe(0);
}

function openFiles(): number {
  return fs.readdirSync(`/proc/${server.pid}/fd`).length;
}

/** Puts a file with an old date into the library. */
function put(name: string, bytes: Uint8Array): string {
  const path = join(server.folder, "library", name);
  fs.mkdirSync(dirname(path), { recursive: true });
  fs.writeFileSync(path, bytes);
  fs.utimesSync(path, longAgo, longAgo);
  return path;
}

function targetOf(name: string): string {
  return `/api/library/${encodeURIComponent(name)}/audio`;
}

async function record(hwid: string): Promise<{ listed: ListedRecording; wav: Buffer; path: string }> {
  using device = await IngestDevice.open(server.httpBase, pcmFormat, hwid);
  for (let frame = 0; frame < 300; frame++) device.send(countingPayload(frame * 320, 320));
  await device.close();
  const listed = await until("the recording", 10_000, async () => {
    return (await allRecordings(server.httpBase, `device=${hwid}`))[0];
  });
  const path = join(server.folder, "received", listed.wav.path);
  return { listed, wav: fs.readFileSync(path), path };
}

describe("a song of the library", () => {
  const long = new Random(1).bytes(1_000_000);

  test("is sent whole, in parts, and by condition, by a name in any script and folder", async () => {
    for (const name of ["plain.mp3", "Grüße/歌 🎵 #1?.mp3", "a & b/100%.mp3", "dots../x.mp3"]) {
      put(name, long);
      const whole = await ask(targetOf(name));
      expectBytes(whole, 200, long);
      expect(whole.headers.get("content-length")).toBe(String(long.length));
      expect(whole.headers.get("content-type")).toBe("audio/mpeg");
      expect(whole.headers.get("cache-control")).toBe("private, no-cache");
      expect(whole.headers.get("last-modified")).toBe("Sun, 09 Sep 2001 01:46:40 GMT");
      expect(whole.headers.get("content-disposition")).toContain('inline; filename="');
      const etag = whole.headers.get("etag")!;
      expect((await ask(targetOf(name), { "if-none-match": etag })).status).toBe(304);
      expect((await ask(targetOf(name), { "if-match": '"x"' })).status).toBe(412);
      expectBytes(await ask(targetOf(name), { range: "bytes=5-99999" }), 206, long.subarray(5, 100_000));
      expectBytes(await ask(targetOf(name), { range: "bytes=5-9" }), 206, long.subarray(5, 10));
      expectBytes(await ask(targetOf(name), { range: "bytes=5-9", "if-range": '"x"' }), 200, long);
      const parts = partsOf(await ask(targetOf(name), { range: "bytes=0-0,-1" }));
      expect(parts.map(({ body }) => body.length)).toEqual([1, 1]);
      expect((await ask(targetOf(name), { range: "bytes=1000000-" })).headers.get("content-range")).toBe(
        "bytes */1000000",
      );
    }
    // Slashes may also be written as they are.
    expectBytes(await ask(`/api/library/${encodeURI("Grüße/歌 🎵 ")}%231%3F.mp3/audio`), 200, long);
  });

  test("has another tag when its file has changed, and a new file none for a moment", async () => {
    const path = put("changed.mp3", long);
    const before = (await ask(targetOf("changed.mp3"))).headers.get("etag")!;
    const other = new Random(2).bytes(long.length);
    fs.writeFileSync(path, other);
    const young = await ask(targetOf("changed.mp3"), { range: "bytes=0-9", "if-range": before });
    expectBytes(young, 200, other);
    expect(young.headers.get("etag")).toBeNull();
    fs.utimesSync(path, longAgo, longAgo);
    const after = (await ask(targetOf("changed.mp3"), {}, "HEAD")).headers.get("etag")!;
    expect(after).not.toBe(before);
    expect((await ask(targetOf("changed.mp3"), { "if-none-match": before })).status).toBe(200);
  });

  test("is never a file outside the library, and a page is only for saving", async () => {
    put("page.html", Buffer.from("<script>alert(1)</script>"));
    const page = await ask(targetOf("page.html"));
    expect(page.headers.get("content-type")).toBe("application/octet-stream");
    expect(page.headers.get("content-disposition")).toBe('attachment; filename="page.html"');
    fs.symlinkSync("/etc/passwd", join(server.folder, "library", "link.mp3"));
    const hostile = ["../cache/catalog.db", "../../etc/passwd", "/etc/passwd", "link.mp3", "a\0b", "x\r\ny"];
    for (const name of hostile) expect(codeOf(await ask(targetOf(name)))).toBe("404 SONG_UNKNOWN");
    expect(codeOf(await ask("/api/library/%zz/audio"))).toBe("404 SONG_UNKNOWN");
    expect((await ask("/api/library/../../../etc/passwd/audio")).status).toBe(404);
  });

  test.skipIf(process.platform !== "linux")("leaves no file open, whatever the answer", async () => {
    put("open.mp3", long);
    const target = targetOf("open.mp3");
    await ask(target);
    const before = openFiles();
    for (let round = 0; round < 20; round += 1) {
      await ask(target, {}, "HEAD");
      await ask(target, { "if-match": '"x"' });
      await ask(target, { "if-none-match": "*" });
      await ask(target, { range: "bytes=5-9" });
      await ask(target, { range: "bytes=5-500000" });
      await ask(target, { range: "bytes=0-300000,400000-" });
      await ask(target, { range: "bytes=2000000-" });
      await ask(target);
    }
    await until("files to be closed", 5_000, () => openFiles() <= before + 3);
  });
});

describe("a recording", () => {
  test("is sent as WAV by its id, whole, in parts, and by condition", async () => {
    const { listed, wav } = await record("sent");
    const target = `/api/recordings/${listed.id}/audio`;
    const whole = await ask(target);
    expectBytes(whole, 200, wav);
    expect(wav.length).toBeGreaterThan(100_000);
    expect(whole.headers.get("content-type")).toBe("audio/wav");
    expect(whole.headers.get("etag")).toBe(`"${sha256(wav)}"`);
    expect(whole.headers.get("repr-digest")).toContain(Buffer.from(sha256(wav), "hex").toString("base64"));
    expect(whole.headers.get("content-disposition")).toMatch(/^inline; filename="[^"/]+\.wav"$/);
    expect((await ask(target, { "if-none-match": `"${sha256(wav)}"` })).status).toBe(304);
    expectBytes(await ask(target, { range: "bytes=44-" }), 206, wav.subarray(44));
    expectBytes(await ask(target, { range: "bytes=-5" }), 206, wav.subarray(-5));
    expectBytes(await ask(target, { range: "bytes=0-5", "if-range": '"x"' }), 200, wav);
    expect((await ask(`${target}?download=1`)).headers.get("content-disposition")).toStartWith("attachment;");
    expect((await ask(target, {}, "HEAD")).headers.get("content-length")).toBe(String(wav.length));
  });

  test("that was damaged is an error, whatever the range, and is sent again once it is right", async () => {
    const { listed, wav, path } = await record("damaged");
    const target = `/api/recordings/${listed.id}/audio`;
    expectBytes(await ask(target), 200, wav);
    flipByte(path, 1000);
    expect(codeOf(await ask(target))).toBe("500 OBJECT_DAMAGED");
    expect(codeOf(await ask(target, { range: "bytes=0-5" }))).toBe("500 OBJECT_DAMAGED");
    expect(server.log).toContain("a recording differs from what was recorded");
    flipByte(path, 1000);
    expectBytes(await ask(target), 200, wav);
    fs.appendFileSync(path, "more");
    expect(codeOf(await ask(target))).toBe("500 OBJECT_DAMAGED");
    fs.rmSync(path);
    expect(codeOf(await ask(target))).toBe("404 RECORDING_UNKNOWN");
    expect((await ask(target, {}, "HEAD")).status).toBe(404);
  });

  test("is unknown by any id that is no number in the list", async () => {
    for (const id of ["0", "4711", "-1", "1.5", "x", "9".repeat(15), "9".repeat(30), "..%2f1", "%31%00"]) {
      expect(codeOf(await ask(`/api/recordings/${id}/audio`)), id).toBe("404 RECORDING_UNKNOWN");
    }
  });
});
