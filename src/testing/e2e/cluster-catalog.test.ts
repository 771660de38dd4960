/** Two nodes with folders of their own share a catalog in PostgreSQL. There is no archive: audio stays where it came. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Random } from "../harness/bytes.ts";
import { TusPeer } from "../harness/http/tus.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { until } from "../harness/until.ts";

useServers();

const audio = new Random(11).bytes(60_000);
/** Changes that one node makes hold on the others within this time. */
const newsLimitMs = 2_000;

async function put({ httpBase }: TestServer, id: string): Promise<number> {
  const response = await fetch(`${httpBase}/api/streams/${id}/audio`, { method: "PUT", body: audio });
  await response.arrayBuffer();
  return response.status;
}

async function codeOf({ httpBase }: TestServer, path: string, method = "GET"): Promise<string> {
  const response = await fetch(`${httpBase}${path}`, { method });
  if (response.ok) return "ok";
  return ((await response.json()) as { error: { code: string } }).error.code;
}

async function idsOf({ httpBase }: TestServer, query = ""): Promise<string[]> {
  const { streams } = (await (await fetch(`${httpBase}/api/streams${query}`)).json()) as {
    streams: { streamId: string }[];
  };
  return streams.map(({ streamId }) => streamId);
}

describe.skipIf(postgresPrograms === undefined)("two nodes on one catalog", () => {
  let a: TestServer;
  let b: TestServer;
  beforeAll(async () => {
    const flags = { catalog: postgresServer().createSchema() };
    a = await TestServer.start({ flags });
    b = await TestServer.start({ flags });
  }, 60_000);
  afterAll(async () => {
    await a?.dispose();
    await b?.dispose();
  });

  test("list and find the streams of both, and say where audio is that they do not have", async () => {
    expect(await put(a, "of-a")).toBe(201);
    expect(await put(b, "of-b")).toBe(201);
    for (const node of [a, b]) {
      expect(await idsOf(node)).toEqual(["of-a", "of-b"]);
      expect(await idsOf(node, "?q=of")).toEqual(["of-a", "of-b"]);
    }
    expect(await codeOf(a, "/api/streams/of-a/audio")).toBe("ok");
    expect(await codeOf(b, "/api/streams/of-a/audio")).toBe("AUDIO_ELSEWHERE");
    expect(await put(b, "of-a")).toBe(409);
    expect(await codeOf(a, "/api/streams/of-a/audio")).toBe("ok");
  });

  test("count what each has on its own disks, and say whose figures they are", async () => {
    interface Usage {
      node: string | null;
      streams: { count: number };
    }
    const usageOf = async ({ httpBase }: TestServer) =>
      (await (await fetch(`${httpBase}/api/retention`)).json()) as Usage;
    const [before, other] = [await usageOf(a), await usageOf(b)];
    expect(before.node).toMatch(/^[0-9a-f-]{36}$/);
    expect(other.node).not.toBe(before.node);
    expect(await put(a, "counted")).toBe(201);
    expect((await usageOf(a)).streams.count).toBe(before.streams.count + 1);
    expect((await usageOf(b)).streams.count).toBe(other.streams.count);
    expect(await codeOf(a, "/api/streams/counted", "DELETE")).toBe("ok");
  });

  test("resume an upload of the other from the beginning, and the other writes nothing of it any more", async () => {
    using first = await AudioCachePeer.open(a.url);
    await first.start("moved");
    await first.sendAudio(audio.subarray(0, 30_000));
    await first.untilReceived("moved", 30_000);
    using second = await AudioCachePeer.open(b.url);
    expect(await second.resume("moved")).toBe(0);
    await second.sendAudio(audio);
    await first.sendAudio(new Random(1).bytes(30_000));
    first.send({ type: "STOP", streamId: "moved" });
    await first.expectControl("ERROR", undefined);
    await second.stop("moved");
    expect(await codeOf(a, "/api/streams/moved/audio")).toBe("AUDIO_ELSEWHERE");
    const read = await fetch(`${b.httpBase}/api/streams/moved/audio`);
    expect(await read.bytes()).toEqual(audio);
  });

  test("say that an upload by tus is complete which ended at the other, whose disk alone has it", async () => {
    const path = await new TusPeer(a.httpBase).create(audio.length, { title: "tus" });
    expect((await new TusPeer(b.httpBase).patch(path, 0, audio)).status).toBe(204);
    const { status, headers } = await new TusPeer(a.httpBase).head(path);
    expect(status).toBe(200);
    expect(Number(headers.get("upload-offset"))).toBe(audio.length);
    expect(Number(headers.get("upload-length"))).toBe(audio.length);
    expect(headers.get("upload-metadata")).toContain("title");
  });

  test("know of tokens that the other has made or revoked", async () => {
    const create = await fetch(`${a.httpBase}/api/tokens`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ grants: ["*"] }),
    });
    expect(create.status).toBe(201);
    const { id, token } = (await create.json()) as { id: string; token: string };
    const headers = { authorization: `Bearer ${token}` };
    const statusOf = async () => (await fetch(`${b.httpBase}/api/streams`, { headers })).status;
    await until("the token at the other node", newsLimitMs, async () => (await statusOf()) === 200);
    const revoke = await fetch(`${a.httpBase}/api/tokens/${id}`, { method: "DELETE", headers });
    expect(revoke.ok).toBe(true);
    await until("the end of the token", newsLimitMs, async () => (await statusOf()) === 401);
  });
});

describe.skipIf(postgresPrograms === undefined)("a node that was frozen past its lease", () => {
  test("is fenced once another has taken over its upload, begins anew, and serves nothing wrong", async () => {
    const flags = { catalog: postgresServer().createSchema() };
    await using a = await TestServer.start({ flags });
    await using b = await TestServer.start({ flags });
    expect(await put(a, "kept")).toBe(201);
    using first = await AudioCachePeer.open(a.url);
    await first.start("moved");
    await first.sendAudio(audio.subarray(0, 30_000));
    await first.untilReceived("moved", 30_000);
    process.kill(a.pid, "SIGSTOP");
    postgresServer().expireLeases(flags.catalog);
    using second = await AudioCachePeer.open(b.url);
    expect(await second.resume("moved")).toBe(0);
    await second.sendAudio(audio);
    await second.stop("moved");
    process.kill(a.pid, "SIGCONT");
    expect(["CATALOG_UNAVAILABLE", "FENCED"]).toContain(await codeOf(a, "/api/streams/late/audio", "PUT"));
    await until("readiness", 15_000, async () => (await fetch(`${a.httpBase}/readyz`)).ok);
    expect(await codeOf(a, "/api/streams/moved/audio")).toBe("AUDIO_ELSEWHERE");
    expect(await codeOf(a, "/api/streams/kept/audio")).toBe("ok");
    expect(await put(a, "after")).toBe(201);
    expect(await idsOf(b)).toEqual(["after", "kept", "moved"]);
  });
});

describe.skipIf(postgresPrograms === undefined)("a node that died in a commit", () => {
  test("does not bring back what another has finished instead, and removed since", async () => {
    const flags = { catalog: postgresServer().createSchema() };
    await using a = await TestServer.start({ flags, env: { WAVECACHE_FAILPOINTS: "commit.3=kill" } });
    await using b = await TestServer.start({ flags });
    await put(a, "undone").catch(() => undefined);
    await a.waitForExit(10_000);
    using peer = await AudioCachePeer.open(b.url);
    expect(await peer.resume("undone")).toBe(0);
    await peer.sendAudio(audio);
    await peer.stop("undone");
    expect(await codeOf(b, "/api/streams/undone", "DELETE")).toBe("ok");
    await a.restart({ env: {} });
    await a.untilLogged("the store has been checked");
    expect(await idsOf(a)).toEqual([]);
    expect(await codeOf(a, "/api/streams/undone/audio")).toBe("STREAM_UNKNOWN");
  });
});
