/** The catalog is missing, damaged, or an older copy: no audio is lost, and streams come back. */
import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { CacheLayout } from "../../store/layout.ts";
import { rebuildCatalog } from "../../store/streams/rebuild.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { debrisAfterCheck, lostAndFound, storedObjects } from "../harness/cache-folder.ts";
import { createToken } from "../harness/access.ts";
import { listStreams, removeStream } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const audioOf = (index: number) => new Random(index + 1).bytes(20_000);

async function uploadSome(server: TestServer, from: number, to: number): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  for (let index = from; index < to; index++) await peer.upload(`s${index}`, audioOf(index));
}

function byId(one: { streamId: string }, other: { streamId: string }): number {
  return one.streamId.localeCompare(other.streamId);
}

async function expectAll(server: TestServer, indexes: number[]): Promise<void> {
  const finished = await listStreams(server.httpBase, "finished");
  const expected = indexes.map((index) => ({ streamId: `s${index}`, sha256: sha256(audioOf(index)) }));
  const found = finished.map(({ streamId, sha256 }) => ({ streamId, sha256: sha256! }));
  expect(found.toSorted(byId)).toEqual(expected.toSorted(byId));
  using peer = await AudioCachePeer.open(server.url);
  for (const index of indexes) {
    expect(sha256(await peer.download(`s${index}`, 20_000))).toBe(sha256(audioOf(index)));
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

function removeCatalog(server: TestServer): void {
  for (const end of ["", "-wal", "-shm"])
    fs.rmSync(join(server.cacheDir, `catalog.db${end}`), { force: true });
}

async function expectRefusal(server: TestServer): Promise<void> {
  const args = [
    "--port",
    "0",
    "--cache-dir",
    server.cacheDir,
    "--recordings-dir",
    join(server.folder, "received"),
  ];
  const { code, stderr } = await runServerToExit(args);
  expect(code).toBe(1);
  expect(stderr).toContain("catalog is missing or damaged");
  expect(stderr).toContain("bun run server doctor --rebuild-catalog");
}

const rebuild = (server: TestServer) =>
  rebuildCatalog(new CacheLayout(server.cacheDir), { deep: true, onProgress: () => {} });

test("a server with audio and no catalog refuses to start, and changes nothing", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 0, 3);
  await server.stop();
  for (const lose of [removeCatalog, () => fs.writeFileSync(join(server.cacheDir, "catalog.db"), "")]) {
    lose(server);
    await expectRefusal(server);
    await expectRefusal(server);
    expect(await storedObjects(server.cacheDir)).toHaveLength(3);
  }
  expect(await lostAndFound(server.cacheDir)).toEqual([]);
});

test("a damaged catalog is refused, and a new one brings ids and metadata back", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 0, 3);
  {
    using peer = await V1Peer.open(server.url);
    peer.create(1, "described", { contentType: "audio/x", format: undefined, tags: { title: "a" } });
    await peer.write(1, audioOf(7));
    await peer.finish(1, 20_000);
  }
  expect(await removeStream(server.httpBase, "s1")).toBe(204);
  await server.stop();
  fs.writeFileSync(join(server.cacheDir, "catalog.db"), new Random(9).bytes(20_000));
  await expectRefusal(server);
  expect(await rebuild(server)).toMatchObject({ known: 3, unknown: 0, damaged: [] });
  await server.restart();
  const described = (await listStreams(server.httpBase)).find(({ streamId }) => streamId === "described");
  expect(described).toMatchObject({
    sha256: sha256(audioOf(7)),
    metadata: { contentType: "audio/x", tags: { title: "a" } },
  });
  expect(await removeStream(server.httpBase, "described")).toBe(204);
  await expectAll(server, [0, 2]);
});

test("without a catalog and a journal, streams come back under their SHA-256", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 0, 2);
  await server.stop();
  removeCatalog(server);
  fs.rmSync(join(server.cacheDir, "journal-v1"), { recursive: true });
  expect(await rebuild(server)).toMatchObject({ known: 0, unknown: 2 });
  await server.restart();
  using peer = await AudioCachePeer.open(server.url);
  const id = sha256(audioOf(1));
  expect(sha256(await peer.download(id, 20_000))).toBe(id);
});

test("an older copy of the catalog loses no stream that came after it, and brings none back that was removed", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 0, 5);
  await server.stop();
  const copy = join(server.folder, "catalog.backup");
  fs.copyFileSync(join(server.cacheDir, "catalog.db"), copy);
  await server.restart();
  await uploadSome(server, 5, 20);
  for (const index of [0, 7]) expect(await removeStream(server.httpBase, `s${index}`)).toBe(204);
  await server.kill9();
  removeCatalog(server);
  fs.copyFileSync(copy, join(server.cacheDir, "catalog.db"));
  await server.restart();
  await until("the check", 5_000, () => server.log.includes("the catalog was older than its journal"));
  await server.untilLogged("enteredStreams=14 forgottenStreams=1");
  await expectAll(server, [...range(1, 7), ...range(8, 20)]);
  expect(await debrisAfterCheck(server.cacheDir, server.httpBase)).toEqual([]);
  expect(await lostAndFound(server.cacheDir)).toEqual([]);
});

test("an older copy of the catalog without a journal destroys nothing: the audio is in lost and found", async () => {
  await using server = await TestServer.start();
  await uploadSome(server, 0, 5);
  await server.stop();
  const copy = join(server.folder, "catalog.backup");
  fs.copyFileSync(join(server.cacheDir, "catalog.db"), copy);
  await server.restart();
  await uploadSome(server, 5, 20);
  await server.stop();
  fs.copyFileSync(copy, join(server.cacheDir, "catalog.db"));
  fs.rmSync(join(server.cacheDir, "journal-v1"), { recursive: true });
  await server.restart();
  await until("the warning", 5_000, () => server.log.includes("files=15 bytes=300000"));
  expect(await lostAndFound(server.cacheDir)).toEqual(
    range(5, 20)
      .map((index) => `objects/${sha256(audioOf(index))}`)
      .toSorted(),
  );
  await server.stop();
  expect(await rebuild(server)).toMatchObject({ broughtBack: 15, unknown: 15, known: 0 });
  await server.restart();
  expect(await listStreams(server.httpBase, "finished")).toHaveLength(20);
});

test("a server whose tokens are lost with its catalog stays closed, and says what to do", async () => {
  await using server = await TestServer.start();
  const list = (headers: Record<string, string>) => fetch(`${server.httpBase}/api/streams`, { headers });
  const lost = await createToken(server, ["*"]);
  await until("the server is closed", 5_000, async () => (await list({})).status === 401);
  expect((await list(lost.headers)).status).toBe(200);
  await server.stop();
  removeCatalog(server);
  const folders = ["--cache-dir", server.cacheDir, "--recordings-dir", join(server.folder, "received")];
  const { stdout } = await runServerToExit(["doctor", "--rebuild-catalog", ...folders]);
  expect(stdout).toContain("tokens are lost");
  await server.restart();
  await server.untilLogged("tokens are lost");
  expect([(await list({})).status, (await list(lost.headers)).status]).toEqual([401, 401]);
  const made = await createToken(server, ["*"]);
  await until("the new token works", 5_000, async () => (await list(made.headers)).status === 200);
});
