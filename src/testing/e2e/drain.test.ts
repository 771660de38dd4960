/** A server that shuts down sends clients elsewhere, and lets them finish what they have begun. */
import { expect, test } from "bun:test";
import { connect } from "../../client/v1/bun.ts";
import { cleanups, quickRetry } from "../fixtures/client.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { readiness } from "../harness/http/readiness.ts";
import { audioPath, expectStored, HttpUpload, refusal } from "../harness/http/http-upload.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { V1Peer } from "../harness/peers/v1.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { until, within } from "../harness/until.ts";

useServers();
const cleanup = cleanups();

const MiB = 1 << 20;
const audio = new Uint8Array(new Random(1).bytes(2 * MiB));

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** An upload over HTTP, of which half has come. */
async function openHalf(server: TestServer, id: string): Promise<HttpUpload> {
  const upload = await HttpUpload.open(server.httpBase, audioPath(id), { length: audio.length });
  upload.send(audio.subarray(0, MiB));
  await until("half", 10_000, async () => (await streamInfo(server.httpBase, id))?.size === MiB);
  return upload;
}

test("from SIGTERM on /readyz is 503 and requests are refused, while an upload comes to its end", async () => {
  await using server = await TestServer.start({ flags: { "drain-seconds": 30 } });
  using upload = await openHalf(server, "half");
  const code = server.stop();
  await until("/readyz", 5_000, async () => (await readiness(server))[0] === "SHUTTING_DOWN");
  expect((await fetch(`${server.httpBase}/healthz`)).status).toBe(200);
  const refused = await fetch(`${server.httpBase}/api/streams`);
  expect(refused.headers.get("retry-after")).toBe("1");
  expect(refused.headers.get("connection")).toBe("close");
  expect(await refusal(refused)).toBe("503 SHUTTING_DOWN");
  upload.send(audio.subarray(MiB));
  expect(await upload.outcome()).toBe("201");
  // Long before the limit: nothing is left to wait for.
  expect(await code).toBe(0);
  await server.restart();
  await expectStored(server.httpBase, "half", audio);
});

test("the drain ends at its limit, and what is not finished by then can be resumed", async () => {
  await using server = await TestServer.start({ flags: { "drain-seconds": 1 } });
  using upload = await openHalf(server, "half");
  using peer = await V1Peer.open(server.url);
  peer.create(1, "other");
  await peer.write(1, audio, 0, MiB);
  const begin = performance.now();
  const code = server.stop();
  expect(await peer.when("GOODBYE", () => peer.goodbyes[0])).toBe(1_000);
  expect(await upload.outcome()).toBe("503 SHUTTING_DOWN");
  expect(performance.now() - begin).toBeGreaterThan(900);
  expect(await code).toBe(0);
  await server.restart();
  for (const id of ["half", "other"]) {
    expect(await streamInfo(server.httpBase, id)).toMatchObject({ state: "unfinished", size: MiB });
  }
});

test("a client of v1 takes its upload to another server on the same store, which has another port", async () => {
  await using server = await TestServer.start();
  using proxy = await TcpProxy.open(portOf(server.url));
  const events: string[] = [];
  const url = `ws://127.0.0.1:${proxy.port}/audio`;
  const retry = { ...quickRetry, retries: 500 };
  const client = await connect(url, { retry, onEvent: ({ type }) => void events.push(type) });
  cleanup(() => client.close());
  const offsets: number[] = [];
  const stream = client.openWrite({ id: "moves", onOpen: (offset) => void offsets.push(offset) });
  const writer = stream.writable.getWriter();
  await writer.write(audio.subarray(0, MiB));
  await until("some audio is durable", 10_000, () => stream.progress.durable > 0);
  const former = server.url;
  await server.stop();
  expect(events).toContain("leaving");
  await server.restart();
  expect(server.url).not.toBe(former);
  proxy.forwardTo(portOf(server.url));
  await writer.write(audio.subarray(MiB));
  await writer.close();
  expect(await within("the receipt", 20_000, stream.receipt)).toMatchObject({
    sha256: sha256(audio),
    verified: true,
  });
  expect(offsets).toEqual([0, MiB]);
});
