import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { CacheLayout } from "../../store/layout.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { runAdmin } from "../harness/admin.ts";
import { listPage, streamInfo } from "../harness/http/streams.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start();
});

afterAll(async () => {
  await server.dispose();
});

async function upload(text: string): Promise<string> {
  using peer = await AudioCachePeer.open(server.url);
  const id = freshId("tags");
  await peer.upload(id, Buffer.from(text));
  return id;
}

async function change(id: string, patch: unknown): Promise<{ status: number; text: string }> {
  const body = typeof patch === "string" ? patch : JSON.stringify(patch);
  const headers = { "content-type": "application/merge-patch+json" };
  const response = await fetch(`${server.httpBase}/api/streams/${id}`, { method: "PATCH", headers, body });
  return { status: response.status, text: await response.text() };
}

async function tagsOf(id: string): Promise<Record<string, string> | undefined> {
  return (await streamInfo(server.httpBase, id))?.metadata.tags;
}

test("a change sets the tags that it names, removes those that are null, and leaves the others", async () => {
  const id = await upload("audio");
  expect((await change(id, { title: "Grüße", tags: { artist: "A", year: "1999" } })).status).toBe(200);
  expect(await tagsOf(id)).toEqual({ title: "Grüße", artist: "A", year: "1999" });
  const { text } = await change(id, { title: null, tags: { artist: "B", none: null } });
  expect(JSON.parse(text)).toMatchObject({ streamId: id, title: null, metadata: { tags: { artist: "B" } } });
  expect(await tagsOf(id)).toEqual({ artist: "B", year: "1999" });
});

test("a changed stream is found by its new words alone, and its audio has its new name", async () => {
  const id = await upload("found");
  await fetch(`${server.httpBase}/api/streams/${id}/audio`).then((response) => response.arrayBuffer());
  await change(id, { title: "Zugvögel", tags: { name: "flug.wav" } });
  const found = async (text: string) => (await listPage(server.httpBase, `?q=${text}`)).total;
  expect(await found("zugvo")).toBe(1);
  await change(id, { title: "Wandern" });
  expect([await found("zugvo"), await found("wandern")]).toEqual([0, 1]);
  const audio = await fetch(`${server.httpBase}/api/streams/${id}/audio`);
  await audio.arrayBuffer();
  expect(audio.headers.get("content-disposition")).toContain("flug.wav");
});

test("a change that does not fit is refused as a whole", async () => {
  const id = await upload("kept");
  await change(id, { tags: { a: "1" } });
  const many = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`k${index}`, "x"]));
  const long = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, "x".repeat(500)]));
  for (const patch of [
    "",
    "{",
    "[]",
    "null",
    { name: "x" },
    { title: 1 },
    { tags: { b: 1 } },
    { tags: { "": "x" } },
    { tags: { b: "x".repeat(513) } },
    { tags: { ["x".repeat(65)]: "x" } },
    '{"title":"\\ud800"}',
    { tags: many },
    { tags: long },
  ]) {
    const { status, text } = await change(id, patch);
    expect([status, text], JSON.stringify(patch)).toEqual([400, expect.stringContaining("BAD_REQUEST")]);
  }
  expect(await tagsOf(id)).toEqual({ a: "1" });
  expect((await change("none", { title: "x" })).status).toBe(404);
});

test("changed tags survive a kill, a lost catalog and an older copy of it", async () => {
  const id = await upload("survives");
  await change(id, { title: "First" });
  const layout = new CacheLayout(server.cacheDir);
  await server.stop();
  const database = new Database(layout.catalog);
  const older = database.serialize();
  database.close();
  await server.restart();
  await change(id, { title: "Second", tags: { artist: "A" } });
  await server.kill9();
  await server.restart();
  expect(await tagsOf(id)).toEqual({ title: "Second", artist: "A" });
  await server.kill9();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(layout.catalog + suffix, { force: true });
  expect((await runAdmin(server, "doctor", "--rebuild-catalog")).code).toBe(0);
  await server.restart();
  expect(await tagsOf(id)).toEqual({ title: "Second", artist: "A" });
  expect((await listPage(server.httpBase, "?q=second")).total).toBe(1);
  await server.kill9();
  for (const suffix of ["-wal", "-shm"]) rmSync(layout.catalog + suffix, { force: true });
  await Bun.write(layout.catalog, older);
  await server.restart();
  await until("the check to read the journal", testLimitMs, async () => {
    return (await tagsOf(id))?.["title"] === "Second";
  });
  expect(await tagsOf(id)).toEqual({ title: "Second", artist: "A" });
});
