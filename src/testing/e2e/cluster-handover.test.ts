/** Uploads of a node that is alive: other nodes ask for them over NATS, and follow them. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "@nats-io/transport-node";
import { Random, sha256 } from "../harness/bytes.ts";
import { scrape } from "../harness/http/exposition.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { hasNatsServer, NatsServer } from "../harness/servers/nats-server.ts";
import { hasObjectStore, ObjectStore } from "../harness/servers/object-store.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { until, within } from "../harness/until.ts";

useServers();
const MiB = 1024 * 1024;
const limitMs = 18_000;
const hasEngines = hasObjectStore && hasNatsServer && postgresPrograms !== undefined;
const audio = new Random(91).bytes(20 * MiB + 7);
/** One part, and 3 MiB that are in none. */
const sentBytes = 19 * MiB;

let store: ObjectStore;
let nats: NatsServer;
let flags: Record<string, string>;
let a: TestServer;
let b: TestServer;

async function begin(server: TestServer, id: string, bytes = sentBytes): Promise<AudioCachePeer> {
  const peer = await AudioCachePeer.open(server.url);
  await peer.start(id);
  await peer.sendAudio(audio.subarray(0, bytes));
  await peer.untilReceived(id, bytes);
  return peer;
}

async function finish(server: TestServer, id: string): Promise<number> {
  using peer = await AudioCachePeer.open(server.url);
  const offset = await peer.resume(id);
  await peer.sendAudio(audio.subarray(offset));
  const { sha256: found } = await peer.stop(id, limitMs);
  expect(found).toBe(sha256(audio));
  return offset;
}

async function codeOf({ httpBase }: TestServer, path: string): Promise<string> {
  const answer = await fetch(httpBase + path);
  if (answer.ok) return "ok";
  return ((await answer.json()) as { error: { code: string } }).error.code;
}

/** The archive and the catalog have the first part. */
async function untilPart(server: TestServer): Promise<void> {
  await until("the first part", limitMs, async () => {
    const metrics = await scrape(server.httpBase);
    return metrics?.sum("wavecache_archive_upload_parts_total") === 1;
  });
}

async function untilConnected(server: TestServer): Promise<void> {
  await until("NATS", limitMs, async () => {
    const text = await (await fetch(`${server.httpBase}/metrics`)).text();
    return text.includes("\nwavecache_nats_connected 1");
  });
}

beforeEach(async () => {
  if (!hasEngines) return;
  [store, nats] = await Promise.all([ObjectStore.start(), NatsServer.start()]);
  flags = {
    ...store.flags,
    acknowledge: "archived",
    catalog: postgresServer().createSchema(),
    "nats-urls": nats.url,
  };
  a = await TestServer.start({ flags, env: store.env });
  b = await TestServer.start({ flags, env: store.env });
  await Promise.all([untilConnected(a), untilConnected(b)]);
});
afterEach(async () => {
  if (!hasEngines) return;
  await Promise.all([a.dispose(), b.dispose()]);
  await Promise.all([store[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

describe.if(hasEngines)("an upload that is resumed at another node", () => {
  test("is released by the node that has it, with all that is durable, and its client hears of it", async () => {
    using first = await begin(a, "moved");
    expect(await finish(b, "moved")).toBe(sentBytes);
    await first.expectError(/another connection has resumed this stream/, limitMs);
    await a.untilLogged("an upload was released to another node");
    const read = await fetch(`${b.httpBase}/api/streams/moved/audio`);
    expect(sha256(await read.bytes())).toBe(sha256(audio));
    await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
  });

  test("comes back to the first node, and is finished there", async () => {
    using first = await begin(a, "moved");
    first.socket[Symbol.dispose]();
    using second = await AudioCachePeer.open(b.url);
    expect(await second.resume("moved")).toBe(sentBytes);
    await second.sendAudio(audio.subarray(sentBytes, sentBytes + 1000));
    await second.untilReceived("moved", sentBytes + 1000);
    expect(await finish(a, "moved")).toBe(sentBytes + 1000);
    await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
  });

  test("goes on at its own node after another one has asked, and not taken it", async () => {
    using first = await begin(a, "kept");
    first.socket[Symbol.dispose]();
    const connection = await connect({ servers: nats.url });
    const node = (await Bun.file(`${a.cacheDir}/node`).text()).trim();
    const request = JSON.stringify({ op: "release", streamId: "kept" });
    const answer = await connection.request(`wavecache.uploads.${node}`, request, { timeout: 5000 });
    expect(answer.json<{ bytes: number }>()).toEqual({ bytes: sentBytes });
    await connection.close();
    expect(await finish(a, "kept")).toBe(sentBytes);
    await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
  });

  test.each([
    ["tail.stored", 16 * MiB],
    ["release.1", sentBytes],
  ])(
    "continues from what the catalog has if the node that releases it is killed at %s",
    async (point, offset) => {
      await a.restart({ env: { ...store.env, WAVECACHE_FAILPOINTS: `${point}=kill` } });
      await untilConnected(a);
      using _first = await begin(a, "moved");
      await untilPart(a);
      expect(await finish(b, "moved")).toBe(offset);
      await a.waitForExit(limitMs);
      await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
    },
  );

  test("is taken from a node that is frozen, which writes nothing of it afterwards", async () => {
    using first = await begin(a, "moved");
    await untilPart(a);
    process.kill(a.pid, "SIGSTOP");
    postgresServer().expireLeases(flags["catalog"]!);
    expect(await finish(b, "moved")).toBe(16 * MiB);
    process.kill(a.pid, "SIGCONT");
    await first.expectControl("ERROR", undefined, limitMs);
    // It opens its catalog anew once a call has told it.
    const isRead = async () => (await codeOf(a, "/api/streams/moved/audio")) === "ok";
    await until("the stream at its former node", limitMs, isRead);
    await until("no upload in parts", limitMs, async () => (await store.unfinishedUploads()) === 0);
  });

  test("is taken through the catalog while NATS is cut, and its former node ends it", async () => {
    using first = await begin(a, "moved");
    await untilPart(a);
    await nats.kill9();
    using second = await AudioCachePeer.open(b.url);
    expect(await second.resume("moved")).toBe(16 * MiB);
    await first.sendAudio(audio.subarray(sentBytes));
    first.send({ type: "STOP", streamId: "moved" });
    await first.expectControl("ERROR", undefined, limitMs);
    await second.sendAudio(audio.subarray(16 * MiB));
    await second.stop("moved", limitMs);
    expect(await codeOf(b, "/api/streams/moved/audio")).toBe("ok");
  });
});

describe.if(hasEngines)("an upload that is read at another node", () => {
  test("is followed from its beginning to its end", async () => {
    using peer = await begin(a, "followed", 5 * MiB);
    const following = fetch(`${b.httpBase}/api/streams/followed/audio?follow=1`);
    const answer = await within("an answer", limitMs, following);
    expect(answer.status).toBe(200);
    const whole = answer.bytes();
    await peer.sendAudio(audio.subarray(5 * MiB));
    await peer.stop("followed", limitMs);
    expect(sha256(await within("all of it", limitMs, whole))).toBe(sha256(audio));
  });

  test("is read by range as far as it is, over every protocol", async () => {
    using _peer = await begin(a, "followed", 5 * MiB);
    const range = await fetch(`${b.httpBase}/api/streams/followed/audio`, {
      headers: { range: "bytes=4000000-4999999" },
    });
    expect(range.status).toBe(206);
    expect(sha256(await range.bytes())).toBe(sha256(audio.subarray(4_000_000, 5_000_000)));
    using reader = await AudioCachePeer.open(b.url);
    expect(sha256(await reader.download("followed", 5 * MiB))).toBe(sha256(audio.subarray(0, 5 * MiB)));
  });

  test("fails clearly once its node is frozen, and is read again when that continues", async () => {
    using _peer = await begin(a, "followed", 5 * MiB);
    const path = "/api/streams/followed/audio";
    expect(await codeOf(b, path)).toBe("ok");
    process.kill(a.pid, "SIGSTOP");
    expect(await codeOf(b, path)).toBe("NODE_UNREACHABLE");
    process.kill(a.pid, "SIGCONT");
    await until("the audio", limitMs, async () => (await codeOf(b, path)) === "ok");
    await nats.kill9();
    expect(await codeOf(b, path)).toBe("NODE_UNREACHABLE");
  });

  test("ends for who follows it if its node dies", async () => {
    using _peer = await begin(a, "followed", 5 * MiB);
    const answer = await fetch(`${b.httpBase}/api/streams/followed/audio?follow=1`);
    const reading = answer.bytes().then(
      () => "whole",
      () => "cut off",
    );
    await a.kill9();
    expect(await within("its end", limitMs, reading)).toBe("cut off");
  });
});
