/** The wall clock jumps while the server is down: nothing expires by that. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Random, sha256 } from "../harness/bytes.ts";
import { lostAndFound } from "../harness/cache-folder.ts";
import { canPreload, compileLibrary } from "../harness/faults/preload.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";

useServers();

const daySeconds = 24 * 3600;
const audio = new Random(21).bytes(100_000);
let folder: ReturnType<typeof temporaryFolder>;
let library: string;

beforeAll(() => {
  folder = temporaryFolder();
  if (canPreload) library = compileLibrary("clock.c", folder.path);
});

afterAll(() => folder[Symbol.dispose]());

const ahead = (days: number) => ({
  env: { LD_PRELOAD: library, CLOCK_AHEAD_SECONDS: String(days * daySeconds) },
});

async function interrupt(server: TestServer, id: string): Promise<void> {
  using peer = await AudioCachePeer.open(server.url);
  await peer.start(id);
  await peer.sendAudio(audio.subarray(0, 60_000));
  await peer.close();
}

async function untilChecked(server: TestServer): Promise<void> {
  await until(
    "the end of the check",
    10_000,
    () => server.log.includes("the store has been checked"),
    () => server.log,
  );
}

for (const days of [2, 400]) {
  test.skipIf(!canPreload)(`a clock that is ${days} days ahead at a start expires no upload`, async () => {
    await using server = await TestServer.start();
    await interrupt(server, "x");
    await server.stop();
    await Bun.write(`${server.cacheDir}/incoming/stray`, "?");
    await server.restart(ahead(days));
    await untilChecked(server);
    await server.restart(ahead(days));
    await untilChecked(server);
    expect(server.log).not.toContain("expired");
    expect(await lostAndFound(server.cacheDir)).toEqual(["incoming/stray"]);
    using peer = await AudioCachePeer.open(server.url);
    expect(await peer.resume("x")).toBe(60_000);
    await peer.sendAudio(audio.subarray(60_000));
    expect((await peer.stop("x")).sha256).toBe(sha256(audio));
  });
}

test.skipIf(!canPreload)("an upload expires after its time, although the clock is behind", async () => {
  await using server = await TestServer.start();
  await interrupt(server, "x");
  await server.restart({ ...ahead(-30), flags: { "incomplete-ttl": 1 } });
  const isGone = async () => (await streamInfo(server.httpBase, "x")) === undefined;
  await until("the expiry", 15_000, isGone);
});
