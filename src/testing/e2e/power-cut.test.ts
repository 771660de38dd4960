/**
 * A power cut loses unsynced bytes: the end of a growing file may be missing, or present and wrong. To simulate that,
 * the test kills the server, appends garbage to the file of an upload, and changes the boot id in the catalog as a
 * reboot would.
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { MiB } from "../../base/limits/units.ts";
import { freshId } from "../harness/peers/audio-cache.ts";
import { Random, sha256 } from "../harness/bytes.ts";
import { incomingFiles } from "../harness/cache-folder.ts";
import { until } from "../harness/until.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { V1Peer } from "../harness/peers/v1.ts";

useServers();

const audio = new Random(11).bytes(3 * MiB);
const durableBytes = 2 * MiB;

/** Uploads the beginning until it is durable, kills the server, and appends to the file. */
async function interrupted(server: TestServer, id: string, end: Uint8Array): Promise<void> {
  using peer = await V1Peer.open(server.url);
  peer.create(1, id);
  await peer.write(1, audio, 0, durableBytes);
  await peer.untilDurable(1, durableBytes);
  await server.kill9();
  const [file] = await incomingFiles(server.cacheDir);
  appendFileSync(join(server.cacheDir, "incoming", file!.path), end);
}

function startSystemAnew(server: TestServer): void {
  using catalog = new Database(join(server.cacheDir, "catalog.db"));
  catalog.run("UPDATE boots SET id = 'another', started_at = 1");
}

test("after a power cut an upload resumes from its durable bytes and is whole", async () => {
  await using server = await TestServer.start();
  const id = freshId("power-cut");
  await interrupted(server, id, new Uint8Array(MiB / 2));
  startSystemAnew(server);
  await server.restart();
  await until("the end of the check", 5_000, () => server.log.includes("cutBytes=524288"));
  using peer = await V1Peer.open(server.url);
  expect((await peer.resume(1, id)).offset).toBe(durableBytes);
  await peer.write(1, audio, durableBytes);
  expect(await peer.finish(1, audio.length)).toMatchObject({ outcome: "finished", sha256: sha256(audio) });
});

test("without a reboot an upload resumes after everything that was written", async () => {
  await using server = await TestServer.start();
  const id = freshId("killed");
  const writtenBytes = durableBytes + 1000;
  await interrupted(server, id, audio.subarray(durableBytes, writtenBytes));
  await server.restart();
  using peer = await V1Peer.open(server.url);
  expect((await peer.resume(1, id)).offset).toBe(writtenBytes);
  await peer.write(1, audio, writtenBytes);
  expect(await peer.finish(1, audio.length)).toMatchObject({ outcome: "finished", sha256: sha256(audio) });
});
