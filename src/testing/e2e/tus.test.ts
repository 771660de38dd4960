import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { MiB } from "../../base/limits/units.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { chunkedBody, endlessBody, metadataHeader, streamIdOf, TusPeer } from "../harness/http/tus.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const origin = "https://player.example";
let server: TestServer;
let peer: TusPeer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "max-stream-bytes": 64 * MiB, "allow-origin": origin } });
  peer = new TusPeer(server.httpBase);
});

afterAll(() => server.dispose());

const audio = new Random(1).bytes(3 * MiB + 17);

async function expectFinished(path: string, wanted = audio): Promise<void> {
  const found = await streamInfo(server.httpBase, streamIdOf(path));
  expect(found).toMatchObject({ state: "finished", size: wanted.length, sha256: sha256(wanted) });
}

/** An upload that has the beginning of the audio. */
async function begun(bytes: number): Promise<string> {
  const path = await peer.create(audio.length);
  expect((await peer.patch(path, 0, audio.subarray(0, bytes))).status).toBe(204);
  return path;
}

describe("an upload over tus", () => {
  test("is announced with version, extensions, largest size and checksums", async () => {
    for (const path of ["/api/tus", "/api/tus/anything"]) {
      const { status, headers } = await peer.request("OPTIONS", path, {});
      expect(status).toBe(204);
      expect(headers.get("tus-version")).toBe("1.0.0");
      expect(headers.get("tus-resumable")).toBe("1.0.0");
      expect(headers.get("tus-extension")).toBe(
        "creation,creation-with-upload,creation-defer-length,checksum,expiration,termination",
      );
      expect(headers.get("tus-max-size")).toBe(String(64 * MiB));
      expect(headers.get("tus-checksum-algorithm")).toBe("sha1,sha256");
    }
  });

  test("comes in pieces, and is finished by its last byte", async () => {
    const path = await peer.create(audio.length, {
      filename: "Grün/a.mp3",
      filetype: "audio/mpeg",
      artist: "Ö",
    });
    expect(await peer.offset(path)).toBe(0);
    for (let at = 0; at < audio.length; at += MiB) {
      const answer = await peer.patch(path, at, audio.subarray(at, at + MiB));
      const end = Math.min(at + MiB, audio.length);
      expect([answer.status, answer.headers.get("upload-offset")]).toEqual([204, String(end)]);
      expect(answer.headers.has("upload-expires")).toBe(end < audio.length);
      expect(answer.headers.get("tus-resumable")).toBe("1.0.0");
    }
    await expectFinished(path);
    const { headers } = await peer.head(path);
    expect(headers.get("upload-offset")).toBe(String(audio.length));
    expect(headers.get("upload-length")).toBe(String(audio.length));
    expect(headers.get("cache-control")).toBe("no-store");
    const described = { filename: "Grün/a.mp3", filetype: "audio/mpeg", artist: "Ö" };
    expect(headers.get("upload-metadata")).toBe(metadataHeader(described));
    expect((await streamInfo(server.httpBase, streamIdOf(path)))!.metadata).toEqual({
      contentType: "audio/mpeg",
      format: null,
      tags: { name: "Grün/a.mp3", artist: "Ö" },
    });
  });

  test("may come with the request that creates it, whole or in part", async () => {
    for (const bytes of [audio.length, 1000]) {
      const headers = {
        "upload-length": String(audio.length),
        "content-type": "application/offset+octet-stream",
      };
      const answer = await peer.request("POST", "/api/tus", headers, audio.subarray(0, bytes));
      expect([answer.status, answer.headers.get("upload-offset")]).toEqual([201, String(bytes)]);
      expect(answer.headers.has("upload-expires")).toBe(bytes < audio.length);
      const path = answer.headers.get("location")!;
      if (bytes < audio.length)
        expect((await peer.patch(path, bytes, audio.subarray(bytes))).status).toBe(204);
      await expectFinished(path);
    }
  });

  test("may be created at an address with a slash at its end, as clients are often set up", async () => {
    const headers = {
      "upload-length": String(audio.length),
      "content-type": "application/offset+octet-stream",
    };
    const { status, headers: answered } = await peer.request("POST", "/api/tus/", headers, audio);
    expect(status).toBe(201);
    await expectFinished(answered.get("location")!);
    const { code } = await peer.request("GET", "/api//", {});
    expect(code).toBe("ROUTE_UNKNOWN");
  });

  test("of no bytes is finished when it is created", async () => {
    await expectFinished(await peer.create(0), new Uint8Array(0));
  });

  test("gets the id that its metadata asks for, if it is free", async () => {
    const streamId = freshId("wanted");
    expect(await peer.create(10, { streamId })).toBe(`/api/tus/${streamId}`);
    const create = (id: string) =>
      peer.request("POST", "/api/tus", {
        "upload-length": "1",
        "upload-metadata": metadataHeader({ streamId: id }),
      });
    expect(await create(streamId)).toMatchObject({ status: 409, code: "STREAM_EXISTS" });
    expect(await create("../x")).toMatchObject({ status: 400, code: "BAD_STREAM_ID" });
  });

  test("may learn its length later, but only once", async () => {
    const path = await peer.create(undefined);
    expect((await peer.head(path)).headers.get("upload-defer-length")).toBe("1");
    expect((await peer.patch(path, 0, audio.subarray(0, 100))).status).toBe(204);
    const length = String(audio.length);
    const declared = await peer.patch(path, 100, audio.subarray(100, 200), { "upload-length": length });
    expect(declared.status).toBe(204);
    const { headers } = await peer.head(path);
    expect([headers.get("upload-length"), headers.has("upload-defer-length")]).toEqual([length, false]);
    expect(await peer.patch(path, 200, audio.subarray(200), { "upload-length": "5" })).toMatchObject({
      status: 400,
      parameter: "Upload-Length",
    });
    expect((await peer.patch(path, 200, audio.subarray(200), { "upload-length": length })).status).toBe(204);
    await expectFinished(path);
  });

  test("cannot be shorter than what it has", async () => {
    const path = await peer.create(undefined);
    await peer.patch(path, 0, audio.subarray(0, 100));
    const answer = await peer.patch(path, 100, new Uint8Array(0), { "upload-length": "99" });
    expect(answer).toMatchObject({ status: 400, parameter: "Upload-Length" });
    expect((await peer.patch(path, 100, new Uint8Array(0), { "upload-length": "100" })).status).toBe(204);
    await expectFinished(path, audio.subarray(0, 100));
  });

  test("keeps what came before its connection ended", async () => {
    const path = await peer.create(audio.length);
    const cut = new AbortController();
    const patched = peer
      .patch(path, 0, endlessBody(audio.subarray(0, MiB)), {}, cut.signal)
      .catch(() => "cut");
    await until("the audio to arrive", 10_000, async () => (await peer.offset(path)) === MiB);
    cut.abort();
    expect(await patched).toBe("cut");
    expect(await peer.offset(path)).toBe(MiB);
    expect((await peer.patch(path, MiB, audio.subarray(MiB))).status).toBe(204);
    await expectFinished(path);
  });

  test("is taken over by the connection that comes last", async () => {
    const path = await peer.create(audio.length);
    const first = peer.patch(path, 0, endlessBody(audio.subarray(0, MiB)));
    await until("the audio to arrive", 10_000, async () => (await peer.offset(path)) === MiB);
    expect((await peer.patch(path, MiB, audio.subarray(MiB))).status).toBe(204);
    expect(await first).toMatchObject({ status: 409, code: "STREAM_TAKEN_OVER" });
    await expectFinished(path);
  });

  test("answers a client that has missed the last answer", async () => {
    const path = await begun(audio.length);
    expect((await peer.patch(path, audio.length, new Uint8Array(0))).status).toBe(204);
    const more = await peer.patch(path, audio.length, Uint8Array.of(1));
    expect(more).toMatchObject({ status: 409, code: "STREAM_FINISHED" });
    expect(await peer.patch(path, 5, Uint8Array.of(1))).toMatchObject({ status: 409, code: "OFFSET_WRONG" });
    await expectFinished(path);
  });
});

describe("a request that tus does not allow", () => {
  test("of another version, or of none, gets the list of versions", async () => {
    for (const version of ["0.2.2", ""]) {
      const answer = await peer.request("HEAD", "/api/tus/x", { "tus-resumable": version });
      expect([answer.status, answer.headers.get("tus-version")]).toEqual([412, "1.0.0"]);
      const created = await peer.request("POST", "/api/tus", {
        "tus-resumable": version,
        "upload-length": "1",
      });
      expect(created).toMatchObject({ status: 412, code: "TUS_VERSION_REFUSED" });
    }
  });

  test("at another offset changes nothing", async () => {
    const path = await begun(1000);
    for (const offset of [0, 999, 1001]) {
      expect(await peer.patch(path, offset, audio)).toMatchObject({ status: 409, code: "OFFSET_WRONG" });
    }
    expect(await peer.offset(path)).toBe(1000);
  });

  test("without an offset, or of another media type, is refused", async () => {
    const path = await begun(1000);
    const type = { "content-type": "application/octet-stream" };
    expect(await peer.patch(path, 1000, audio, type)).toMatchObject({
      status: 415,
      code: "MEDIA_TYPE_REFUSED",
    });
    const without = { "content-type": "application/offset+octet-stream" };
    expect(await peer.request("PATCH", path, without, audio)).toMatchObject({ parameter: "Upload-Offset" });
    expect(await peer.offset(path)).toBe(1000);
  });

  test("with more audio than the length says is refused, by its own length or at its end", async () => {
    const path = await begun(1000);
    const tooMuch = new Uint8Array(audio.length);
    const refusal = { status: 413, code: "LENGTH_EXCEEDED" };
    expect(await peer.patch(path, 1000, tooMuch)).toMatchObject(refusal);
    expect(await peer.offset(path)).toBe(1000);
    expect(await peer.patch(path, 1000, chunkedBody(tooMuch))).toMatchObject(refusal);
    expect(await peer.offset(path)).toBeLessThan(audio.length);
  });

  test("for a stream that does not exist is 404, and makes none", async () => {
    const path = `/api/tus/${freshId("none")}`;
    expect((await peer.head(path)).status).toBe(404);
    expect(await peer.patch(path, 0, audio)).toMatchObject({ status: 404, code: "STREAM_UNKNOWN" });
    expect(await peer.request("DELETE", path, {})).toMatchObject({ status: 404, code: "STREAM_UNKNOWN" });
    expect((await peer.head("/api/tus/..%2fx")).status).toBe(404);
    expect((await peer.head(path)).status).toBe(404);
  });

  test.each<[string, Record<string, string>, string]>([
    ["no length", {}, "Upload-Length"],
    ["a negative length", { "upload-length": "-1" }, "Upload-Length"],
    ["a length that is known and not", { "upload-length": "1", "upload-defer-length": "1" }, "Upload-Length"],
    ["a length deferred otherwise", { "upload-defer-length": "2" }, "Upload-Defer-Length"],
    ["metadata that is no base64", { "upload-metadata": "a %%%" }, "Upload-Metadata"],
    ["a key of each object", { "upload-metadata": "__proto__ YQ==" }, "Upload-Metadata"],
    ["a long name", { "upload-metadata": metadataHeader({ filename: "x".repeat(513) }) }, "Upload-Metadata"],
    ["a long type", { "upload-metadata": metadataHeader({ filetype: "x".repeat(129) }) }, "Upload-Metadata"],
    [
      "33 keys",
      { "upload-metadata": Array.from({ length: 33 }, (_, at) => `k${at}`).join() },
      "Upload-Metadata",
    ],
  ])("with %s creates nothing", async (_what, headers, parameter) => {
    const length: Record<string, string> = parameter === "Upload-Metadata" ? { "upload-length": "1" } : {};
    const answer = await peer.request("POST", "/api/tus", { ...length, ...headers });
    expect(answer).toMatchObject({ status: 400, code: "BAD_REQUEST", parameter });
  });

  test("to get an upload is refused: its audio is elsewhere", async () => {
    const answer = await peer.request("GET", await begun(1000), {});
    expect(answer).toMatchObject({ status: 405, code: "METHOD_NOT_ALLOWED" });
    expect(answer.headers.get("allow")).toBe("OPTIONS, HEAD, PATCH, DELETE");
  });

  test("to create more than a stream may have is refused", async () => {
    const headers = { "upload-length": String(64 * MiB + 1) };
    expect(await peer.request("POST", "/api/tus", headers)).toMatchObject({
      status: 413,
      code: "STREAM_TOO_LARGE",
    });
  });
});

/** The header of a body that may be another one. */
function checksum(algorithm: "sha1" | "sha256", bytes: Uint8Array): Record<string, string> {
  const digest = new Bun.CryptoHasher(algorithm).update(bytes).digest("base64");
  return { "upload-checksum": `${algorithm} ${digest}` };
}

describe("a body with a checksum", () => {
  test("is appended if it is the right one", async () => {
    const path = await peer.create(audio.length);
    const [first, second] = [audio.subarray(0, MiB), audio.subarray(MiB)];
    expect((await peer.patch(path, 0, first, checksum("sha1", first))).status).toBe(204);
    expect((await peer.patch(path, MiB, chunkedBody(second), checksum("sha256", second))).status).toBe(204);
    await expectFinished(path);
  });

  test("never becomes part of the upload if it is another one", async () => {
    const path = await begun(1000);
    for (const algorithm of ["sha1", "sha256"] as const) {
      const answer = await peer.patch(
        path,
        1000,
        audio.subarray(1001),
        checksum(algorithm, audio.subarray(1000)),
      );
      expect(answer).toMatchObject({ status: 460, code: "CHECKSUM_WRONG" });
      expect(await peer.offset(path)).toBe(1000);
    }
  });

  test("of an unknown algorithm, or that is too long, is refused", async () => {
    const path = await begun(1000);
    const md5 = { "upload-checksum": "md5 1B2M2Y8AsgTpgAmY7PhCfg==" };
    expect(await peer.patch(path, 1000, audio, md5)).toMatchObject({
      status: 400,
      parameter: "Upload-Checksum",
    });
    const long = new Uint8Array(8 * MiB + 1);
    const refusal = { status: 413, code: "CHECKED_TOO_LARGE" };
    expect(await peer.patch(path, 1000, long, checksum("sha1", long))).toMatchObject(refusal);
    expect(await peer.patch(path, 1000, chunkedBody(long), checksum("sha1", long))).toMatchObject(refusal);
    expect(await peer.offset(path)).toBe(1000);
  });

  test("waits for others, and none is lost", async () => {
    const piece = new Random(2).bytes(2 * MiB);
    const upload = async () => {
      const path = await peer.create(piece.length);
      return (await peer.patch(path, 0, piece, checksum("sha1", piece))).status;
    };
    expect(await Promise.all(Array.from({ length: 20 }, upload))).toEqual(
      Array.from({ length: 20 }, () => 204),
    );
  });
});

describe("termination", () => {
  test("removes an upload that is interrupted, in progress, or finished", async () => {
    const interrupted = await begun(1000);
    expect((await peer.request("DELETE", interrupted, {})).status).toBe(204);
    const current = await peer.create(audio.length);
    const patched = peer.patch(current, 0, endlessBody(audio.subarray(0, MiB)));
    await until("the audio to arrive", 10_000, async () => (await peer.offset(current)) === MiB);
    expect((await peer.request("DELETE", current, {})).status).toBe(204);
    expect((await patched).status).toBe(409);
    const finished = await begun(audio.length);
    expect((await peer.request("DELETE", finished, {})).status).toBe(204);
    for (const path of [interrupted, current, finished]) {
      expect((await peer.head(path)).status).toBe(404);
      expect(await streamInfo(server.httpBase, streamIdOf(path))).toBeUndefined();
    }
  });

  test("removes what another protocol uploads, too", async () => {
    using other = await AudioCachePeer.open(server.url);
    const id = freshId("busy");
    await other.start(id);
    await other.sendAudio(audio.subarray(0, 1000));
    await other.untilReceived(id, 1000);
    expect((await peer.request("DELETE", `/api/tus/${id}`, {})).status).toBe(204);
    expect(await streamInfo(server.httpBase, id)).toBeUndefined();
  });
});

test("X-HTTP-Method-Override makes a POST a PATCH of any length, or a DELETE", async () => {
  const path = await peer.create(audio.length);
  const headers = { "upload-offset": "0", "content-type": "application/offset+octet-stream" };
  const patch = { ...headers, "x-http-method-override": "PATCH" };
  expect((await peer.request("POST", path, patch, audio)).status).toBe(204);
  await expectFinished(path);
  expect((await peer.request("POST", path, { "x-http-method-override": "DELETE" })).status).toBe(204);
  expect((await peer.head(path)).status).toBe(404);
  expect((await peer.request("POST", path, headers, audio.subarray(0, 10))).status).toBe(405);
  const elsewhere = await fetch(`${server.httpBase}/api/streams/x`, {
    method: "POST",
    headers: { "x-http-method-override": "DELETE" },
  });
  expect(elsewhere.status).toBe(405);
});

test("pages of an allowed origin may upload, and read the headers of the answers", async () => {
  const asked = await peer.request("OPTIONS", "/api/tus", {
    origin,
    "access-control-request-method": "PATCH",
    "access-control-request-headers": "tus-resumable,upload-offset",
  });
  expect(asked.headers.get("access-control-allow-methods")).toContain("PATCH");
  expect(asked.headers.get("access-control-allow-headers")).toContain("*");
  const created = await peer.request("POST", "/api/tus", { origin, "upload-length": "3" });
  expect(created.status).toBe(201);
  expect(created.headers.get("access-control-allow-origin")).toBe(origin);
  expect(created.headers.get("access-control-expose-headers")).toBe("*");
  const foreign = await peer.request("POST", "/api/tus", {
    origin: "https://evil.example",
    "upload-length": "3",
  });
  expect(foreign.status).toBe(403);
});
