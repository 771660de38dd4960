/** The whole server with its catalog in PostgreSQL. The catalog itself has its contract suites. */
import { describe, expect, test } from "bun:test";
import { Random } from "../harness/bytes.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { postgresPrograms, PostgresServer, postgresServer } from "../harness/servers/postgres.ts";
import { until } from "../harness/until.ts";

useServers();

const audio = new Random(7).bytes(100_000);
const steps = ["commit.1", "commit.2", "commit.3", "commit.4", "commit.5", "commit.6"];

async function reasonsOf(server: TestServer): Promise<string[]> {
  const response = await fetch(`${server.httpBase}/readyz`);
  if (response.ok) return [];
  return ((await response.json()) as { reasons: { code: string }[] }).reasons.map(({ code }) => code);
}

async function idsOf(server: TestServer): Promise<string[]> {
  const response = await fetch(`${server.httpBase}/api/streams`);
  expect(response.status).toBe(200);
  const { streams } = (await response.json()) as { streams: { streamId: string }[] };
  return streams.map(({ streamId }) => streamId);
}

async function put(server: TestServer, id: string): Promise<number> {
  const response = await fetch(`${server.httpBase}/api/streams/${id}/audio`, { method: "PUT", body: audio });
  await response.arrayBuffer();
  return response.status;
}

async function read(server: TestServer, id: string): Promise<Uint8Array> {
  return await (await fetch(`${server.httpBase}/api/streams/${id}/audio`)).bytes();
}

/** Resumes an upload, or finds that it is finished. */
async function finish(peer: AudioCachePeer, streamId: string): Promise<void> {
  const offset = await peer.resume(streamId);
  await peer.sendAudio(audio.subarray(offset));
  await peer.stop(streamId);
}

describe.skipIf(postgresPrograms === undefined)("a server with its catalog in PostgreSQL", () => {
  test("killed after each step of a commit, resumes what it has not acknowledged and keeps the rest", async () => {
    const catalog = postgresServer().createSchema();
    await using server = await TestServer.start({ flags: { catalog } });
    for (const step of steps) {
      await server.restart({ env: { WAVECACHE_FAILPOINTS: `${step}=kill` } });
      const died = await put(server, step).then(
        () => false,
        () => true,
      );
      // After the last step the answer may be on its way before the server dies.
      if (step !== steps.at(-1)) expect(died).toBe(true);
      await server.waitForExit(5_000);
      await server.restart({ env: {} });
      using peer = await AudioCachePeer.open(server.url);
      await finish(peer, step);
      expect(await read(server, step)).toEqual(audio);
    }
    expect(await idsOf(server)).toEqual(steps);
  });

  test("starts again on its folder only with its catalog, and says so", async () => {
    const catalog = postgresServer().createSchema();
    await using server = await TestServer.start({ flags: { catalog } });
    expect(await put(server, "x")).toBe(201);
    await server.stop();
    const folders = ["--cache-dir", server.cacheDir, "--recordings-dir", `${server.folder}/received`];
    const { code, stderr } = await runServerToExit([...folders, "--port", "0"]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("name it with --catalog");
    const doctor = await runServerToExit(["doctor", ...folders]);
    expect(doctor.stderr).toContain("in PostgreSQL");
    const tokens = await runServerToExit(["token", "list", "--catalog", catalog, ...folders.slice(0, 2)]);
    expect(tokens).toMatchObject({ code: 0, stdout: "no tokens\n" });
    await server.restart();
    expect(await read(server, "x")).toEqual(audio);
  });

  test("enters the streams of a folder that had a file before", async () => {
    await using server = await TestServer.start();
    expect(await put(server, "older")).toBe(201);
    await server.restart({ flags: { catalog: postgresServer().createSchema() } });
    await until("the stream in the new catalog", 10_000, async () => (await idsOf(server)).includes("older"));
    expect(await read(server, "older")).toEqual(audio);
  });

  test("refuses what it cannot keep while PostgreSQL is down, and continues by itself", async () => {
    using postgres = PostgresServer.start();
    await using server = await TestServer.start({ flags: { catalog: postgres.createSchema() } });
    expect(await put(server, "before")).toBe(201);
    using peer = await AudioCachePeer.open(server.url);
    await peer.start("resumed");
    await peer.sendAudio(audio);
    await peer.untilReceived("resumed", audio.length);
    peer[Symbol.dispose]();
    await postgres.stop();
    expect(await put(server, "during")).toBe(503);
    await until("the reason", 10_000, async () => (await reasonsOf(server)).includes("CATALOG_UNAVAILABLE"));
    postgres.resume();
    await until("readiness", 15_000, async () => (await reasonsOf(server)).length === 0);
    using again = await AudioCachePeer.open(server.url);
    await finish(again, "resumed");
    expect(await put(server, "after")).toBe(201);
    for (const id of ["before", "resumed", "after"]) expect(await read(server, id)).toEqual(audio);
    await server.stop();
  });
});
