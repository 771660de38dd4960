/** Songs that clients upload into the library, over the real server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { runClient } from "../harness/client-process.ts";
import { createToken } from "../harness/access.ts";
import { ApiContract } from "../harness/http/contract.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { SongServer } from "../harness/servers/song-server.ts";
import { until } from "../harness/until.ts";

useServers();

const sample = new Uint8Array(
  readFileSync(resolve(import.meta.dir, "../../../data/samples/speech-16k-mono.wav")),
);
const sha256 = new Bun.CryptoHasher("sha256").update(sample).digest("hex");
const digest = `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;

let songs: SongServer;
let api: ApiContract;

beforeAll(async () => {
  songs = await SongServer.start({ "max-song-bytes": 2_000_000 });
  api = await ApiContract.open(songs.server.httpBase);
});

afterAll(async () => {
  await songs[Symbol.asyncDispose]();
});

function put(name: string, body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  return api.request("PUT", `/api/library/${encodeURIComponent(name)}`, { body, headers });
}

async function codeOf(answer: Response): Promise<string> {
  return ((await answer.json()) as { error: { code: string } }).error.code;
}

function incoming(): string[] {
  return readdirSync(join(songs.libraryFolder, ".incoming"));
}

describe("a song that a client uploads", () => {
  test("is listed, heard over HTTP, and served over UDP right away", async () => {
    const answer = await put("albums/one/Ärger.wav", sample, { "repr-digest": digest });
    expect(answer.status).toBe(201);
    expect(await answer.json()).toEqual({ name: "albums/one/Ärger.wav", size: sample.length, sha256 });
    expect(answer.headers.get("repr-digest")).toBe(digest);
    const listed = await (await api.request("GET", "/api/library?after=albums/")).json();
    expect(listed).toMatchObject({ songs: [{ name: "albums/one/Ärger.wav", type: "audio/wav" }] });
    const heard = await fetch(`${songs.server.httpBase}${answer.headers.get("location")!}`);
    expect(new Uint8Array(await heard.arrayBuffer())).toEqual(sample);
    const { bytes } = await songs.get("albums/one/Ärger.wav");
    expect(bytes).toEqual(sample);
  });

  test("is not replaced by accident, and a repeated request with its digest is answered as before", async () => {
    await put("taken.wav", sample);
    const refused = await put("taken.wav", sample.slice(0, 100));
    expect([refused.status, await codeOf(refused)]).toEqual([409, "SONG_EXISTS"]);
    expect((await put("taken.wav", sample, { "repr-digest": digest })).status).toBe(200);
    const strict = await put("taken.wav", sample, { "repr-digest": digest, "if-none-match": "*" });
    expect(strict.status).toBe(412);
    expect(readFileSync(join(songs.libraryFolder, "taken.wav")).length).toBe(sample.length);
  });

  test("is replaced by a request that names the song it means", async () => {
    const first = (await put("replaced.wav", sample)).headers.get("etag")!;
    const second = await put("replaced.wav", sample.slice(0, 100), { "if-match": first });
    expect(second.status).toBe(200);
    expect((await put("replaced.wav", sample, { "if-match": first })).status).toBe(412);
    expect((await put("replaced.wav", sample.slice(0, 50), { "if-match": "*" })).status).toBe(200);
    expect(readFileSync(join(songs.libraryFolder, "replaced.wav")).length).toBe(50);
    expect((await put("none.wav", sample, { "if-match": "*" })).status).toBe(412);
  });

  test("is refused with a wrong digest, a bad name, too many bytes or no body, and leaves nothing", async () => {
    const wrong = digest.replace(/=:../, "=:AA");
    expect((await put("digest.wav", sample, { "repr-digest": wrong })).status).toBe(400);
    for (const name of ["../up.wav", ".hidden.wav", "a/.b/c.wav", "CON"]) {
      const answer = await put(name, sample);
      expect([name, answer.status, await codeOf(answer)]).toEqual([name, 400, "BAD_SONG_NAME"]);
    }
    expect((await put("large.wav", new Uint8Array(2_000_001))).status).toBe(413);
    const chunked = await fetch(`${songs.server.httpBase}/api/library/chunked.wav`, {
      method: "PUT",
      body: new ReadableStream({
        start(controller) {
          for (let at = 0; at < 3; at++) controller.enqueue(new Uint8Array(1_000_000));
          controller.close();
        },
      }),
    });
    expect([chunked.status, await codeOf(chunked)]).toEqual([413, "SONG_TOO_LARGE"]);
    expect(existsSync(join(songs.libraryFolder, "digest.wav"))).toBe(false);
    expect(existsSync(join(songs.libraryFolder, "chunked.wav"))).toBe(false);
    expect(incoming()).toEqual([]);
  });

  test("of which the sender goes away leaves nothing", async () => {
    const abort = new AbortController();
    const { promise: sent, resolve: isSent } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(100_000));
        isSent();
      },
    });
    const address = `${songs.server.httpBase}/api/library/gone.wav`;
    const asked = fetch(address, { method: "PUT", body, signal: abort.signal }).catch(() => undefined);
    await sent;
    await until("the beginning of the upload", 5_000, () => incoming().length === 1);
    abort.abort();
    await asked;
    await until("the end of the upload", 5_000, () => incoming().length === 0);
    expect(existsSync(join(songs.libraryFolder, "gone.wav"))).toBe(false);
  });
});

test("a song is removed, only as the one that the request means", async () => {
  const etag = (await put("gone/song.wav", sample)).headers.get("etag")!;
  const path = "/api/library/gone%2Fsong.wav";
  expect((await api.request("DELETE", path, { headers: { "if-match": '"other"' } })).status).toBe(412);
  expect((await api.request("DELETE", path, { headers: { "if-match": etag } })).status).toBe(204);
  expect((await api.request("DELETE", path)).status).toBe(404);
  expect((await api.request("GET", `${path}/audio`)).status).toBe(404);
});

test("the command line puts files into the library, and removes songs", async () => {
  const { httpBase, folder } = songs.server;
  const path = join(folder, "mine.wav");
  writeFileSync(path, sample);
  const client = (...args: string[]) => runClient(["library", ...args, "-s", httpBase]);
  const put = await client("put", path, "--folder", "by/hand/", "--json");
  expect(JSON.parse(put.out)).toEqual({ songs: [{ name: "by/hand/mine.wav", size: sample.length, sha256 }] });
  expect((await client("put", path, "--folder", "by/hand")).code).toBe(0);
  writeFileSync(path, "other");
  const refused = await client("put", path, "--folder", "by/hand");
  expect(refused.code).toBe(1);
  expect(refused.err).toContain("another song called by/hand/mine.wav (replace it with --force)");
  const forced = await client("put", path, "--folder", "by/hand", "--force");
  expect(forced.out).toContain("by/hand/mine.wav  5 B");
  expect((await client("put", path, "--name", "fresh.wav", "--force")).code).toBe(0);
  expect((await client("rm", "by/hand/mine.wav")).out).toBe("removed by/hand/mine.wav\n");
  expect((await client("rm", "by/hand/mine.wav")).err).toContain("no such song: by/hand/mine.wav");
  expect((await client("drop", "x")).code).toBe(2);
});

test("what a token may upload and remove is decided by the name", async () => {
  await using server = await TestServer.start();
  await createToken(server, ["*"]);
  const token = await createToken(server, ["upload,remove:library/mine/**"]);
  const ask = (method: string, name: string) => {
    const body = method === "PUT" ? { body: sample } : {};
    return fetch(`${server.httpBase}/api/library/${encodeURIComponent(name)}`, {
      method,
      headers: token.headers,
      ...body,
    });
  };
  expect((await ask("PUT", "mine/a.wav")).status).toBe(201);
  expect((await ask("PUT", "other/a.wav")).status).toBe(403);
  expect((await ask("DELETE", "other/a.wav")).status).toBe(404);
  expect((await ask("DELETE", "mine/a.wav")).status).toBe(204);
});

describe("a server that dies while a song is stored", () => {
  for (const [point, isThere] of [
    ["library.2", false],
    ["library.3", true],
  ] as const) {
    test(`at ${point} has the old song or the new one, as a whole`, async () => {
      await using server = await TestServer.start({ env: { WAVECACHE_FAILPOINTS: `${point}*2=kill` } });
      const file = join(server.folder, "library", "song.wav");
      const send = (body: Uint8Array<ArrayBuffer>) =>
        fetch(`${server.httpBase}/api/library/song.wav`, {
          method: "PUT",
          body,
          headers: { "if-match": "*" },
        });
      await fetch(`${server.httpBase}/api/library/song.wav`, { method: "PUT", body: sample });
      expect(
        await send(sample.slice(0, 99))
          .then((answer) => answer.status)
          .catch(() => "dead"),
      ).toBe("dead");
      expect(readFileSync(file).length).toBe(isThere ? 99 : sample.length);
    });
  }
});
