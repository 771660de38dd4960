/** The commands of the client on what is kept: retention, pin, and rm with queries. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Random } from "../harness/bytes.ts";
import { runClient } from "../harness/client-process.ts";
import { listStreams, streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "keep-streams": "1GiB,1h" } });
});

afterAll(async () => {
  await server.dispose();
});

async function upload(...ids: string[]): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  for (const id of ids) await peer.upload(id, new Random(id.length).bytes(1000));
}

const run = (...args: string[]) => runClient([...args, "-s", server.url]);
const ids = async () => (await listStreams(server.httpBase)).map(({ streamId }) => streamId);

test("retention shows usage and limits, and what goes next", async () => {
  const { out, code } = await run("retention");
  expect(code).toBe(0);
  expect(out).toMatch(/streams +\d+ +.*1\.00 GiB/);
  expect(out).toMatch(/streams\/\* +evict +1h +1\.00 GiB/);
  expect(await run("retention", "--dry-run")).toMatchObject({ out: "nothing would be removed\n", code: 0 });
  const plan = JSON.parse((await run("retention", "--dry-run", "--json")).out) as { removals: unknown[] };
  expect(plan.removals).toEqual([]);
});

test("pin keeps a stream until it is unpinned", async () => {
  await upload("keepsake");
  expect(await run("pin", "keepsake")).toMatchObject({ out: "pinned stream keepsake\n", code: 0 });
  expect(await streamInfo(server.httpBase, "keepsake")).toMatchObject({ pinned: true });
  await run("pin", "keepsake", "--off");
  expect(await streamInfo(server.httpBase, "keepsake")).toMatchObject({ pinned: false });
  expect((await run("pin", "none")).code).toBe(1);
  expect((await run("pin")).code).toBe(2);
  expect((await run("pin", "--device", "kitchen")).code).toBe(2);
  const range = ["--device", "kitchen", "--from", "2025-01-31T09:00", "--to", "2025-01-31T10:00"];
  expect((await run("pin", ...range)).code).toBe(0);
});

test("rm removes several streams, by id or by a query, and only lists them in a dry run", async () => {
  await upload("take-1", "take-2", "take-30", "other");
  const dry = await run("rm", "take-*", "--dry-run", "--json");
  expect(JSON.parse(dry.out)).toMatchObject({ wouldRemove: ["take-1", "take-2", "take-30"] });
  expect((await run("rm", "take-*", "--older-than", "1h")).out).toContain("removed 0 streams");
  expect(await ids()).toContain("take-1");
  expect((await run("rm", "take-?")).out).toContain("removed 2 streams");
  expect((await run("rm", "take-30", "other")).out).toContain("removed take-30\nremoved other\n");
  expect(await ids()).not.toContain("other");
  expect((await run("rm", "none", "also-none")).code).toBe(1);
  expect((await run("rm")).code).toBe(2);
});
