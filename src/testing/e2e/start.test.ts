/** A start takes every lock and port before it changes anything: a refused server leaves all folders as they are. */
import { expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { AudioCachePeer } from "../harness/peers/audio-cache.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { sha256 } from "../harness/bytes.ts";
import { type FinishedRun, runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const recordingsOf = (server: TestServer) => join(server.folder, "received");

/** Digest and time of change of every recorded file. */
function snapshot(folder: string): string[] {
  const paths = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((path) => /\.(bin|wav)$/.test(path));
  return paths.sort().map((path) => {
    const file = join(folder, path);
    return `${path} ${sha256(readFileSync(file))} ${statSync(file).mtimeMs}`;
  });
}

async function recordSomething(server: TestServer): Promise<IngestDevice> {
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "shed");
  for (let frame = 0; frame < 30; frame++) device.send(countingPayload(frame * 320, 320));
  const folder = join(recordingsOf(server), "shed");
  const flushed = () =>
    readdirSync(folder).some(
      (name) => name.endsWith(".bin") && statSync(join(folder, name)).size === 30 * 652,
    );
  await until("the frames to be in the file", 5_000, () =>
    Bun.file(folder)
      .exists()
      .then(() => safely(flushed)),
  );
  return device;
}

function safely(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

function expectRefused(run: FinishedRun, ...texts: string[]): void {
  expect(run.code).toBe(1);
  expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
  for (const text of texts) expect(run.stderr).toContain(text);
  expect(run.stdout).not.toMatch(/\bready\b/);
}

test("a second server with the recordings folder of another is refused, and changes nothing in it", async () => {
  await using server = await TestServer.start({ flags: { "rotate-seconds": 600 } });
  using device = await recordSomething(server);
  using other = temporaryFolder();
  const before = snapshot(recordingsOf(server));
  const folders = ["--cache-dir", join(other.path, "cache"), "--recordings-dir", recordingsOf(server)];
  const library = ["--library-dir", join(other.path, "library")];
  const run = await runServerToExit(["--port", "0", ...folders, ...library]);
  expectRefused(
    run,
    "in use by another server",
    recordingsOf(server),
    `process ${server.pid}`,
    "--recordings-dir",
  );
  expect(snapshot(recordingsOf(server))).toEqual(before);
  await device.close();
});

test("a second server with the cache folder of another is refused, and the first goes on", async () => {
  await using server = await TestServer.start();
  using other = temporaryFolder();
  const folders = ["--cache-dir", server.cacheDir, "--recordings-dir", join(other.path, "received")];
  const run = await runServerToExit([
    "--port",
    "0",
    ...folders,
    "--library-dir",
    join(other.path, "library"),
  ]);
  expectRefused(run, "in use by another server", server.cacheDir, "--cache-dir");
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", Buffer.from("audio"));
});

test("a server whose port is taken leaves unfinished recordings and uploads as they are", async () => {
  await using crashed = await TestServer.start({ flags: { "rotate-seconds": 600 } });
  (await recordSomething(crashed))[Symbol.dispose]();
  await crashed.kill9();
  await using holder = await TestServer.start();
  const before = snapshot(recordingsOf(crashed));
  expect(before.length).toBe(2);
  const { port } = new URL(holder.url);
  mkdirSync(join(crashed.folder, "library"), { recursive: true });
  const folders = ["--cache-dir", crashed.cacheDir, "--recordings-dir", recordingsOf(crashed)];
  const run = await runServerToExit([
    "--port",
    port,
    ...folders,
    "--library-dir",
    join(crashed.folder, "library"),
  ]);
  expectRefused(run, port, "in use");
  expect(snapshot(recordingsOf(crashed))).toEqual(before);
});

test("a lock ends with its server, whatever ends it", async () => {
  await using server = await TestServer.start();
  await server.kill9();
  await server.restart();
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload("x", Buffer.from("audio"));
});
