/** Whoever reads the log goes away or stops reading, or its disk is full: the server goes on, and counts the loss. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { serverEntry } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";

setDefaultTimeout(60_000);

const waitMs = 15_000;
const stopMs = 10_000;
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanups.splice(0)) cleanUp();
});

interface Running {
  base: string;
  subprocess: Bun.Subprocess<"ignore", number, "ignore">;
}

/** A pipe to a reader, which reads nothing until it is closed. */
function openPipe(): { writer: number; closeReader: () => void } {
  const folder = temporaryFolder();
  const path = join(folder.path, "pipe");
  expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  cleanups.push(() => {
    closeSync(writer);
    folder[Symbol.dispose]();
  });
  return { writer, closeReader: () => closeSync(reader) };
}

/** Starts a server at a free port, which need not be read from its log. */
async function start(stdout: number): Promise<Running> {
  const folder = temporaryFolder();
  const probe = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
  const { port } = probe;
  await probe.stop(true);
  const folders = ["cache", "recordings", "library"].flatMap((name) => [
    `--${name}-dir`,
    `${folder.path}/${name}`,
  ]);
  const ports = ["ingest", "udp", "tls", "grpc"].flatMap((name) => [`--${name}-port`, "off"]);
  const subprocess = Bun.spawn(
    [process.execPath, "run", serverEntry, "--port", String(port), "--workers", "1", ...folders, ...ports],
    { stdin: "ignore", stdout, stderr: "ignore" },
  );
  cleanups.push(() => {
    subprocess.kill("SIGKILL");
    folder[Symbol.dispose]();
  });
  const base = `http://127.0.0.1:${port}`;
  await until("the server", waitMs, () => isHealthy(base));
  return { base, subprocess };
}

async function isHealthy(base: string): Promise<boolean> {
  try {
    return (await fetch(`${base}/readyz`)).ok;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/** A device that breaks the protocol, which is a warning in the log. */
async function causeWarning(base: string): Promise<void> {
  using socket = await RawWebSocket.open(`${base.replace("http", "ws")}/ws/broken`);
  socket.binary(Buffer.from("nonsense"));
  await socket.ended;
}

async function droppedLines(base: string): Promise<number> {
  const metrics = await (await fetch(`${base}/metrics`)).text();
  return Number(/^wavecache_log_lines_dropped_total (\d+)$/m.exec(metrics)![1]);
}

async function expectOrderlyEnd({ subprocess }: Running): Promise<void> {
  subprocess.kill("SIGTERM");
  expect(await within("the end", stopMs, subprocess.exited)).toBe(0);
}

test("a reader that goes away costs lines, not the server and its recordings", async () => {
  const { writer, closeReader } = openPipe();
  const server = await start(writer);
  using device = await IngestDevice.open(server.base, pcmFormat, "device");
  closeReader();
  await until("a lost line", waitMs, async () => {
    await causeWarning(server.base);
    return (await droppedLines(server.base)) > 0;
  });
  expect(device.socket.isOpen).toBe(true);
  await expectOrderlyEnd(server);
});

test.skipIf(process.platform !== "linux")(
  "a full disk costs lines from the start, not the start",
  async () => {
    const full = openSync("/dev/full", "w");
    cleanups.push(() => closeSync(full));
    const server = await start(full);
    expect(await droppedLines(server.base)).toBeGreaterThan(0);
    await causeWarning(server.base);
    await expectOrderlyEnd(server);
  },
);

test("a reader that stops reading stops neither the server nor its end", async () => {
  const { writer, closeReader } = openPipe();
  cleanups.push(closeReader);
  const server = await start(writer);
  // Some 100 bytes a line: more than a pipe holds, which is 64 KiB.
  for (let round = 0; round < 40; round++) {
    await Promise.all(Array.from({ length: 25 }, () => causeWarning(server.base)));
  }
  expect(await isHealthy(server.base)).toBe(true);
  await expectOrderlyEnd(server);
});
