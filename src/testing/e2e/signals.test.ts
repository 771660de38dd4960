/** Signals amid a recording: each one closes what must be closed, and no second one cuts that short. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { serverEntry, TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";

useServers();

const frames = 20;

/** A server that has recorded some frames and whose recording is open. */
async function recording(server: TestServer): Promise<void> {
  const device = await IngestDevice.open(server.httpBase, pcmFormat, "device");
  for (let frame = 0; frame < frames; frame++) device.send(countingPayload(0, pcmFormat.frameSamples));
  await until("the frames", 10_000, async () => {
    const metrics = await (await fetch(`${server.httpBase}/metrics`)).text();
    const counts = [...metrics.matchAll(/^wavecache_recorded_frames_total\{.*\} (\d+)$/gm)];
    return counts.some(([, count]) => Number(count) >= frames);
  });
}

/** The size of the samples that the header of the only WAV states: all ones while it is open. */
async function statedBytes(server: TestServer): Promise<number> {
  const folder = join(server.folder, "received");
  const [name] = await Array.fromAsync(new Bun.Glob("**/*.wav").scan(folder));
  return readFileSync(join(folder, name!)).readUInt32LE(40);
}

const recordedBytes = 2 * frames * pcmFormat.frameSamples;

for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  test(`${signal} amid a recording closes its WAV and exits 0`, async () => {
    await using server = await TestServer.start();
    await recording(server);
    expect(await server.stop(signal)).toBe(0);
    expect(await statedBytes(server)).toBe(recordedBytes);
  });
}

for (const [first, second] of [
  ["SIGINT", "SIGINT"],
  ["SIGINT", "SIGTERM"],
  ["SIGTERM", "SIGHUP"],
] as const) {
  test(`${second} right after ${first} does not end the shutdown early`, async () => {
    await using server = await TestServer.start();
    await recording(server);
    process.kill(server.pid, first);
    await until("the shutdown", 5_000, () => server.log.includes("shutting down"));
    // The server may have ended by itself meanwhile, which is as good.
    if (server.isRunning) process.kill(server.pid, second);
    expect(await server.waitForExit(10_000)).toBe(0);
    expect(await statedBytes(server)).toBe(recordedBytes);
  });
}

test("SIGPIPE changes nothing", async () => {
  await using server = await TestServer.start();
  process.kill(server.pid, "SIGPIPE");
  expect((await fetch(`${server.httpBase}/healthz`)).ok).toBe(true);
  expect(await server.stop()).toBe(0);
});

test.skipIf(process.platform !== "linux")("a server that nohup started lives on after SIGHUP", async () => {
  await using server = await TestServer.start({ launcher: () => ["nohup"] });
  process.kill(server.pid, "SIGHUP");
  expect((await fetch(`${server.httpBase}/healthz`)).ok).toBe(true);
  expect(server.log).not.toContain("shutting down");
  expect(await server.stop()).toBe(0);
});

test.skipIf(process.platform === "win32")(
  "SIGHUP reloads in a terminal, and ends when it is closed",
  async () => {
    using folder = temporaryFolder();
    let output = "";
    const flags = ["--port", "0", "--cache-dir", "c", "--recordings-dir", "r", "--library-dir", "l"];
    const off = ["ingest", "udp", "tls", "grpc"].map((gateway) => `--${gateway}-port=off`);
    const child = Bun.spawn([process.execPath, "run", serverEntry, ...flags, ...off], {
      cwd: folder.path,
      terminal: { data: (_, bytes) => void (output += Buffer.from(bytes)) },
    });
    await until("the start", 10_000, () => output.includes("ready"));
    child.kill("SIGHUP");
    await until("the reload", 5_000, () => output.includes("the configuration is reloaded"));
    child.terminal!.close();
    expect(await within("the end", 10_000, child.exited)).toBe(0);
  },
);
