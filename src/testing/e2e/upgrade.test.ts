/**
 * A store that version 0.1.0 made: this version goes on with it, keeps the catalog from before, and an operator can go
 * back to that. The fixture has one finished stream and one that a SIGTERM interrupted.
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { thisBoot } from "../../base/system/boot.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { sha256 } from "../harness/bytes.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";

useServers();

const oldSchema = 5;
const size = 40_000;
const interruptedAt = 24_000;

/** What was uploaded to version 0.1.0. */
function audio(seed: number): Buffer {
  return Buffer.from(Array.from({ length: size }, (_, at) => (at * 31 + seed) % 251));
}

function unpackStore(folder: string): void {
  const archive = join(import.meta.dir, "../fixtures/store-0.1.0.tar.gz");
  const { exitCode } = Bun.spawnSync(["tar", "-xzf", archive, "-C", folder]);
  if (exitCode !== 0) throw new Error("the fixture cannot be unpacked");
}

/** Version 0.1.0 did not sync what it left unfinished, so it counts only while the system has not booted again. */
function makeOfThisBoot(catalog: string): void {
  const { id, startedAt } = thisBoot();
  using database = new Database(catalog);
  database.run("UPDATE boots SET id = ?, started_at = ?", [id, startedAt]);
}

function schemaOf(path: string): number {
  using database = new Database(path);
  return database.query<{ user_version: number }, []>("PRAGMA user_version").get()!.user_version;
}

/** Runs before each start; only the first one finds no store. */
function unpackBeforeStart(folder: string): string[] {
  if (existsSync(join(folder, "cache"))) return [];
  unpackStore(folder);
  makeOfThisBoot(join(folder, "cache/catalog.db"));
  return [];
}

test("an upgrade serves what was finished, and goes on with what was interrupted", async () => {
  await using server = await TestServer.start({ launcher: unpackBeforeStart });
  using peer = await AudioCachePeer.open(server.url);
  expect(sha256(await peer.download("finished", size))).toBe(sha256(audio(1)));
  expect(await peer.resume("interrupted")).toBe(interruptedAt);
  await peer.sendAudio(audio(2).subarray(interruptedAt));
  expect(await peer.stop("interrupted")).toMatchObject({ size, sha256: sha256(audio(2)) });
  expect(await server.stop()).toBe(0);
});

test("the catalog from before an upgrade is kept, and with it what came after is found again", async () => {
  await using server = await TestServer.start({ launcher: unpackBeforeStart });
  const catalog = join(server.cacheDir, "catalog.db");
  const kept = `${catalog}.schema-${oldSchema}`;
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("after", audio(3));
  expect(await server.stop()).toBe(0);
  expect(schemaOf(kept)).toBe(oldSchema);
  expect(schemaOf(catalog)).toBeGreaterThan(oldSchema);
  renameSync(kept, catalog);
  await server.restart();
  await server.untilLogged("the store has been checked");
  using again = await AudioCachePeer.open(server.url);
  expect(sha256(await again.download("finished", size))).toBe(sha256(audio(1)));
  expect(sha256(await again.download("after", size))).toBe(sha256(audio(3)));
  expect(schemaOf(kept)).toBe(oldSchema);
});

test("a store of a newer version is refused by the server and by doctor, and stays as it is", async () => {
  using folder = temporaryFolder();
  unpackStore(folder.path);
  const cacheDir = join(folder.path, "cache");
  const catalog = join(cacheDir, "catalog.db");
  const newer = 1000;
  using database = new Database(catalog);
  database.run(`PRAGMA user_version = ${newer}`);
  database.close();
  const folders = ["--cache-dir", cacheDir, "--recordings-dir", join(folder.path, "received")];
  for (const args of [
    ["--port", "0", ...folders],
    ["doctor", ...folders],
  ]) {
    const { code, stderr } = await runServerToExit(args, {}, 10_000);
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining(`schema ${newer}; this version reads up to `),
    ]);
  }
  expect(schemaOf(catalog)).toBe(newer);
});
