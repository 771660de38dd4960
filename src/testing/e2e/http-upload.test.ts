/** Uploads over plain HTTP: PUT of an id, and POST of a new stream. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Random, sha256 } from "../harness/bytes.ts";
import {
  audioPath,
  digestOf,
  expectStored as expectStoredAt,
  HttpUpload,
  refusal,
  type Stored,
} from "../harness/http/http-upload.ts";
import { rawHttp } from "../harness/http/raw-http.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const MiB = 1 << 20;
const audio = new Uint8Array(new Random(1).bytes(3 * MiB + 17));

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "max-stream-bytes": "64MiB" } });
});

afterAll(async () => {
  await server.dispose();
});

type Body = Uint8Array<ArrayBuffer> | string | AsyncIterable<Uint8Array>;

async function send(method: string, target: string, body: Body, headers: Record<string, string> = {}) {
  return await fetch(`${server.httpBase}${target}`, { method, body, headers });
}

function expectStored(id: string, bytes: Uint8Array): Promise<void> {
  return expectStoredAt(server.httpBase, id, bytes);
}

async function* inPieces(bytes: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** Waits until the server knows of this many bytes of an upload. */
async function untilReceived(id: string, size: number): Promise<void> {
  await until(`${size} bytes of ${id}`, 10_000, async () => {
    return (await streamInfo(server.httpBase, id))?.size === size;
  });
}

/** Begins a PUT with a long announced length, and returns it after this much audio has arrived. */
async function begin(id: string, bytes: number): Promise<HttpUpload> {
  const upload = await HttpUpload.open(server.httpBase, audioPath(id), { length: audio.length });
  upload.send(audio.subarray(0, bytes));
  await untilReceived(id, bytes);
  return upload;
}

describe("PUT", () => {
  test("stores a body of a known length, and says where and what", async () => {
    const id = freshId("put");
    const answer = await send("PUT", audioPath(id), audio, { "content-type": "audio/mpeg" });
    expect(answer.status).toBe(201);
    expect(answer.headers.get("location")).toBe(`/api/streams/${id}`);
    expect(answer.headers.get("etag")).toBe(`"${sha256(audio)}"`);
    expect(answer.headers.get("repr-digest")).toBe(digestOf(audio));
    expect(await answer.json()).toEqual({ streamId: id, size: audio.length, sha256: sha256(audio) });
    await expectStored(id, audio);
    expect((await streamInfo(server.httpBase, id))!.metadata.contentType).toBe("audio/mpeg");
  });

  test("stores chunks, and an empty body", async () => {
    const id = freshId("chunks");
    expect((await send("PUT", audioPath(id), inPieces(audio, 10_000))).status).toBe(201);
    await expectStored(id, audio);
    const empty = freshId("empty");
    expect((await send("PUT", audioPath(empty), "")).status).toBe(201);
    expect(await streamInfo(server.httpBase, empty)).toMatchObject({ state: "finished", size: 0 });
  });

  test("keeps the name of the file, in any script", async () => {
    const names: [string, Record<string, string>, string][] = [
      ["?name=Gr%C3%BC%C3%9Fe%20%E6%AD%8C.wav", {}, "Grüße 歌.wav"],
      ["", { "content-disposition": 'attachment; filename="a b.wav"' }, "a b.wav"],
      ["", { "content-disposition": "attachment; filename=x; filename*=UTF-8''%E6%AD%8C.wav" }, "歌.wav"],
      ["?name=wins", { "content-disposition": "attachment; filename=loses" }, "wins"],
    ];
    for (const [query, headers, name] of names) {
      const id = freshId("name");
      expect((await send("PUT", audioPath(id) + query, "x", headers)).status).toBe(201);
      expect((await streamInfo(server.httpBase, id))!.metadata.tags).toEqual({ name });
    }
  });

  test("keeps tags, and refuses those that are not allowed", async () => {
    const id = freshId("tags");
    const query = "?tag.artist=Bj%C3%B6rk&tag.album=Post&name=a.wav";
    expect((await send("PUT", audioPath(id) + query, "x")).status).toBe(201);
    const tags = { artist: "Björk", album: "Post", name: "a.wav" };
    expect((await streamInfo(server.httpBase, id))!.metadata.tags).toEqual(tags);
    const many = Array.from({ length: 40 }, (_, index) => `tag.t${index}=x`).join("&");
    const long = Array.from({ length: 20 }, (_, index) => `tag.t${index}=${"x".repeat(500)}`).join("&");
    for (const wrong of ["tag.__proto__=x", "tag.1=x", "tag.a%20b=x", many, long]) {
      const answer = await send("PUT", `${audioPath(freshId("tags"))}?${wrong}`, "x");
      expect(await refusal(answer)).toBe("400 BAD_REQUEST");
    }
  });

  test("compares the digest before the stream is finished", async () => {
    const id = freshId("digest");
    for (const name of ["repr-digest", "content-digest"]) {
      const wrong = await send("PUT", audioPath(id), audio, { [name]: digestOf(new Uint8Array(1)) });
      expect(await refusal(wrong)).toBe("400 DIGEST_WRONG");
      expect(await streamInfo(server.httpBase, id)).toMatchObject({ state: "unfinished" });
    }
    expect((await send("PUT", audioPath(id), audio, { "repr-digest": digestOf(audio) })).status).toBe(201);
    await expectStored(id, audio);
  });

  test("never changes a finished stream, but confirms the same audio again", async () => {
    const id = freshId("twice");
    await send("PUT", audioPath(id), audio);
    expect(await refusal(await send("PUT", audioPath(id), "other"))).toBe("409 STREAM_FINISHED");
    expect(await refusal(await send("PUT", audioPath(id), audio))).toBe("409 STREAM_FINISHED");
    const again = await send("PUT", audioPath(id), audio, { "repr-digest": digestOf(audio) });
    expect([again.status, ((await again.json()) as Stored).size]).toEqual([200, audio.length]);
    await expectStored(id, audio);
  });

  test("with If-None-Match: * takes only a free id", async () => {
    const id = freshId("free");
    const headers = { "if-none-match": "*" };
    using first = await begin(id, 1000);
    expect(await refusal(await send("PUT", audioPath(id), "x", headers))).toBe("412 PRECONDITION_FAILED");
    first.cut();
    expect(await refusal(await send("PUT", audioPath(id), "x", headers))).toBe("412 PRECONDITION_FAILED");
    expect((await send("PUT", audioPath(freshId("free")), "x", headers)).status).toBe(201);
    expect(await refusal(await send("PUT", audioPath(id), "x", { "if-match": '"x"' }))).toBe(
      "412 PRECONDITION_FAILED",
    );
  });

  test("takes an id over from a connection that still uploads it", async () => {
    const id = freshId("over");
    using first = await begin(id, MiB);
    expect((await send("PUT", audioPath(id), audio)).status).toBe(201);
    expect(await first.outcome()).toBe("409 STREAM_TAKEN_OVER");
    await expectStored(id, audio);
  });
});

describe("a body that ends early", () => {
  test("leaves a stream that the protocol of the audio cache finishes", async () => {
    for (const end of ["cut", "reset"] as const) {
      const id = freshId("early");
      (await begin(id, 2 * MiB))[end]();
      using peer = await AudioCachePeer.open(server.url);
      const offset = await peer.resume(id);
      expect(offset).toBe(2 * MiB);
      await peer.sendAudio(audio.subarray(offset));
      expect(await peer.stop(id)).toMatchObject({ size: audio.length, sha256: sha256(audio) });
      await expectStored(id, audio);
    }
  });

  test("leaves a stream that protocol v1 finishes", async () => {
    const id = freshId("early");
    (await begin(id, MiB)).cut();
    using peer = await V1Peer.open(server.url);
    const { offset } = await peer.resume(1, id);
    expect(offset).toBe(MiB);
    await peer.write(1, audio, offset);
    expect(await peer.finish(1, audio.length)).toMatchObject({ outcome: "finished", sha256: sha256(audio) });
    await expectStored(id, audio);
  });

  test("is not taken for a whole one between two chunks, and a PUT begins anew", async () => {
    const id = freshId("chunk");
    const upload = await HttpUpload.open(server.httpBase, audioPath(id));
    upload.send(audio.subarray(0, 5000));
    await untilReceived(id, 5000);
    upload.cut();
    const other = new Uint8Array(new Random(2).bytes(1000));
    expect((await send("PUT", audioPath(id), other)).status).toBe(201);
    await expectStored(id, other);
  });

  test("by kill -9 of the server is resumed after a restart", async () => {
    await using own = await TestServer.start();
    const id = freshId("kill");
    const upload = await HttpUpload.open(own.httpBase, audioPath(id), { length: audio.length });
    upload.send(audio.subarray(0, 2 * MiB));
    await until("the audio", 10_000, async () => (await streamInfo(own.httpBase, id))?.size === 2 * MiB);
    await own.kill9();
    await own.restart();
    using peer = await AudioCachePeer.open(own.url);
    const offset = await peer.resume(id);
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThanOrEqual(2 * MiB);
    await peer.sendAudio(audio.subarray(offset));
    expect(await peer.stop(id)).toMatchObject({ size: audio.length, sha256: sha256(audio) });
  });
});

describe("POST", () => {
  test("stores each body as a new stream", async () => {
    const ids = new Set<string>();
    for (const body of [audio, inPieces(audio, 7777)]) {
      const answer = await send("POST", "/api/streams?name=a.wav", body);
      expect(answer.status).toBe(201);
      const { streamId } = (await answer.json()) as Stored;
      expect(answer.headers.get("location")).toBe(`/api/streams/${streamId}`);
      await expectStored(streamId, audio);
      ids.add(streamId);
    }
    expect(ids.size).toBe(2);
  });
});

describe("audio that the server has", () => {
  const known = new Uint8Array(new Random(6).bytes(100_000));
  const target = `/api/objects/${sha256(known)}`;
  const adopt = (headers = {}) =>
    send("POST", "/api/streams", "", { "repr-digest": digestOf(known), ...headers });

  test("is found by its SHA-256 once it is finished, and becomes a stream without an upload", async () => {
    const id = freshId("known");
    const has = async (): Promise<number> =>
      (await fetch(`${server.httpBase}${target}`, { method: "HEAD" })).status;
    expect(await has()).toBe(404);
    expect(await refusal(await adopt())).toBe("404 OBJECT_UNKNOWN");
    await send("PUT", audioPath(id), known);
    expect(await has()).toBe(200);
    const found = await fetch(`${server.httpBase}${target}`);
    expect(await found.json()).toEqual({ sha256: sha256(known), size: known.length });

    const answer = await adopt({
      "content-type": "audio/wav",
      "content-disposition": "x; filename=mine.wav",
    });
    expect(answer.status).toBe(201);
    const { streamId, size } = (await answer.json()) as Stored;
    expect(size).toBe(known.length);
    const { metadata } = (await streamInfo(server.httpBase, streamId))!;
    expect(metadata).toMatchObject({ contentType: "audio/wav", tags: { name: "mine.wav" } });
    await fetch(`${server.httpBase}/api/streams/${id}`, { method: "DELETE" });
    await expectStored(streamId, known);
    await fetch(`${server.httpBase}/api/streams/${streamId}`, { method: "DELETE" });
    expect(await has()).toBe(404);
  });

  test("is named by 64 hex digits alone", async () => {
    for (const name of ["x", "..%2F..", "0".repeat(63), "0".repeat(64), "%00"]) {
      expect(await refusal(await fetch(`${server.httpBase}/api/objects/${name}`))).toBe("404 OBJECT_UNKNOWN");
    }
  });

  test("is no reference for an empty body with the digest of nothing", async () => {
    const headers = { "repr-digest": digestOf(new Uint8Array(0)) };
    const answer = await send("POST", "/api/streams", "", headers);
    expect([answer.status, ((await answer.json()) as Stored).size]).toEqual([201, 0]);
  });
});

describe("a live source", () => {
  test("is followed while it comes, and kept", async () => {
    const id = freshId("live");
    using source = await HttpUpload.open(server.httpBase, audioPath(id));
    source.send(audio.subarray(0, 1000));
    await untilReceived(id, 1000);
    const response = await fetch(`${server.httpBase}${audioPath(id)}?follow=1`);
    const reader = response.body!.getReader();
    expect((await reader.read()).value!.length).toBe(1000);
    source.send(audio.subarray(1000, 2000));
    expect((await reader.read()).value!.length).toBe(1000);
    source.end();
    expect(await source.outcome()).toBe("201");
    expect((await reader.read()).done).toBe(true);
    await expectStored(id, audio.subarray(0, 2000));
  });
});

describe("a request that cannot be served", () => {
  test("is refused before its body if that is too large, and the client gets the answer", async () => {
    const id = freshId("large");
    using polite = await HttpUpload.open(server.httpBase, audioPath(id), { length: 65 * MiB });
    expect(await polite.outcome()).toBe("413 STREAM_TOO_LARGE");
    expect(await streamInfo(server.httpBase, id)).toBeUndefined();
    using chunked = await HttpUpload.open(server.httpBase, audioPath(id));
    for (let sent = 0; sent <= 64; sent += 1) chunked.send(new Uint8Array(MiB));
    expect(await chunked.outcome()).toBe("413 STREAM_TOO_LARGE");
    expect(await streamInfo(server.httpBase, id)).toBeUndefined();
  });

  test("names the header that is wrong", async () => {
    const long = "x".repeat(600);
    const wrong: [string, string][] = [
      ["content-range", "bytes 0-9/20"],
      ["content-encoding", "gzip"],
      ["content-type", `audio/${long}`],
      ["content-disposition", `attachment; filename="${long}"`],
      ["repr-digest", "sha-256=:short:"],
      ["content-digest", "sha-256=abc"],
    ];
    for (const [name, value] of wrong) {
      const answer = await send("PUT", audioPath(freshId("wrong")), "x", { [name]: value });
      const { error } = (await answer.json()) as { error: { code: string; parameter: string } };
      expect([answer.status, error.code, error.parameter]).toEqual([400, "BAD_REQUEST", name]);
    }
    const both = { "repr-digest": digestOf(audio), "content-digest": digestOf(new Uint8Array(1)) };
    expect(await refusal(await send("PUT", audioPath(freshId("wrong")), "x", both))).toBe("400 DIGEST_WRONG");
    expect((await send("PUT", `${audioPath("x")}?name=${long}`, "x")).status).toBe(400);
  });

  test("ignores digests that it does not know", async () => {
    const headers = { "repr-digest": `sha-512=:${"A".repeat(86)}==:, md5=:abc:` };
    expect((await send("PUT", audioPath(freshId("other")), "x", headers)).status).toBe(201);
  });

  test("stores nothing under a hostile id", async () => {
    for (const id of [
      "..",
      "%2e%2e",
      "a%2Fb",
      "..%2F..%2Fetc%2Fpasswd",
      "%00",
      "a%0d%0ab",
      "x".repeat(129),
      "é",
    ]) {
      using upload = await HttpUpload.open(server.httpBase, audioPath(id), { length: 1 });
      upload.send(new Uint8Array(1));
      expect(await upload.outcome()).toMatch(/^(400 BAD_STREAM_ID|404 ROUTE_UNKNOWN)$/);
    }
  });

  test("without a body is asked for one", async () => {
    const { port } = new URL(server.httpBase);
    for (const target of [`PUT ${audioPath(freshId("none"))}`, "POST /api/streams"]) {
      const answer = await rawHttp(Number(port), `${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      expect([answer.status, answer.body]).toEqual([411, expect.stringContaining("BODY_MISSING")]);
    }
  });
});
