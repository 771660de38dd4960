/**
 * `/readyz` says what prevents the work of the server. A full disk is in `full-disk.test.ts`, lost folders are in
 * `lost-folders.test.ts`, a catalog that fails is in `sync-faults.test.ts`, and the shutdown is in `drain.test.ts`.
 */
import { expect, test } from "bun:test";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { freePort } from "../harness/free-port.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

/** The first codes that `/readyz` shows, as soon as it shows some. */
async function firstReasons(base: string): Promise<string[]> {
  return await until("a reason", 10_000, async () => {
    try {
      const response = await fetch(`${base}/readyz`, { tls: { rejectUnauthorized: false } });
      if (response.status !== 503) return undefined;
      const { reasons } = (await response.json()) as { reasons: { code: string }[] };
      return reasons.map(({ code }) => code);
    } catch (error) {
      // The port is not open yet.
      if (error instanceof Error && "code" in error) return undefined;
      throw error;
    }
  });
}

async function untilReady(base: string): Promise<void> {
  await until("readiness", 10_000, async () => (await fetch(`${base}/readyz`)).ok);
}

test("a start is a reason until the store is open", async () => {
  const port = freePort();
  const base = `http://127.0.0.1:${port}`;
  const reasons = firstReasons(base);
  await using server = await TestServer.start({ flags: { port } });
  expect(await reasons).toEqual(["STARTING"]);
  await untilReady(server.httpBase);
});

test("a keeper that died is a reason until its successor has opened the store", async () => {
  await using server = await TestServer.start({ env: { WAVECACHE_FAILPOINTS: "commit.1=exit-worker" } });
  await untilReady(server.httpBase);
  const reasons = firstReasons(server.httpBase);
  using peer = await AudioCachePeer.open(server.url);
  const streamId = freshId("keeper");
  await peer.start(streamId);
  peer.send({ type: "STOP", streamId });
  expect(await reasons).toEqual(["KEEPER_LOST"]);
  await untilReady(server.httpBase);
});

test("an expired certificate is a reason until its files are renewed", async () => {
  using folder = temporaryFolder();
  const { cert, key } = await writeCertificate(
    folder.path,
    await makeCertificate({ fromDays: -9, toDays: -1 }),
  );
  const flags = { "tls-cert": cert, "tls-key": key };
  await using server = await TestServer.start({ flags, env: { WAVECACHE_TLS: "true" } });
  expect(await firstReasons(server.httpBase)).toEqual(["CERTIFICATE_EXPIRED"]);
  await writeCertificate(folder.path, await makeCertificate());
  const tls = { rejectUnauthorized: false };
  await until("readiness", 20_000, async () => (await fetch(`${server.httpBase}/readyz`, { tls })).ok);
});
