import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { wavHeaderBytes } from "../../codec/wav/wav.ts";
import { cleanups } from "../../testing/fixtures/client.ts";
import { ClientTerminal } from "../../testing/harness/client-terminal.ts";
import { until } from "../../testing/harness/until.ts";
import { type MockDeviceBehaviour, MockDeviceServer } from "../../testing/mocks/device-server.ts";
import { opusPackets, pcm16, signal } from "../../testing/fixtures/sound.ts";

const limitMs = 10_000;
/** 20 packets. */
const sound = opusPackets(pcm16(signal(48_000, 0.4)));
const restored = "\u001b[?25h\u001b[?1049l";

const cleanup = cleanups();
let folder = "";

beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "wavecache-terminal-"))));
afterAll(() => rmSync(folder, { recursive: true }));

async function serve(behaviour: MockDeviceBehaviour = { sound }): Promise<MockDeviceServer> {
  const server = await MockDeviceServer.start(behaviour);
  cleanup(() => server.stop());
  return server;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if (systemCode(error) === "ESRCH") return false;
    throw error;
  }
}

/** Runs a device on a terminal; its PATH has only the folder `bin`, which has no player at first. */
function open({ address }: MockDeviceServer, args: string[] = []): ClientTerminal {
  const env = { PATH: join(folder, "bin") };
  return new ClientTerminal(["device", "--grpc", address, "--id", "lamp", ...args], folder, env);
}

describe.skipIf(process.platform === "win32")("device on a terminal", () => {
  test("shows LEDs and sounds, presses buttons on keys, and restores the terminal", async () => {
    const server = await serve();
    using screen = open(server);
    await screen.shows(/^connected for/);
    expect(screen.isRaw).toBe(true);
    screen.type("m");
    await screen.shows("#00000000  #FF00FFFF");
    await screen.shows("Mode      1");
    expect(screen.text).toContain("\u001b[48;2;255;0;255m");
    screen.type("p");
    await screen.shows("saved audio/output/lamp_001.wav (400 ms)");
    screen.type("S\u001b[Ax");
    await screen.shows("hold stop acknowledged");
    await until("the release", 5_000, () => server.device.events.length === 4);
    screen.type("q");
    expect(await screen.exit()).toBe(0);
    expect(screen.isRaw).toBe(false);
    expect(screen.text).toEndWith(`${restored}saved audio/output/lamp_001.wav (400 ms)\r\n`);
    expect(server.device.events).toEqual([
      { button_id: 1, event: 0 },
      { button_id: 3, event: 0 },
      { button_id: 2, event: 1 },
      { button_id: 2, event: 2 },
    ]);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("restores the terminal on %s", async (signal) => {
    using screen = open(await serve());
    await screen.shows(/^connected for/);
    expect(await screen.exit(signal)).toBe(signal === "SIGINT" ? 130 : 143);
    expect(screen.isRaw).toBe(false);
    expect(screen.text).toContain(restored);
  });

  test("ends on Ctrl-C, and fails when the server ends the connection", async () => {
    const server = await serve();
    using screen = open(server);
    await screen.shows(/^connected for/);
    screen.type("\u0003");
    expect(await screen.exit()).toBe(0);
    using other = open(server);
    await other.shows(/^connected for/);
    server.device.status?.end();
    expect(await other.exit()).toBe(1);
    expect(other.isRaw).toBe(false);
    expect(other.text).toContain(`${restored}error: the server ended the connection (has another device`);
  });

  test("keeps connecting to an unreachable server, and can be quit meanwhile", async () => {
    const server = await serve();
    server.stop();
    using screen = open(server);
    await screen.shows(/trying again in .*: cannot reach the server/);
    screen.type("m");
    await screen.shows("mode does nothing without a connection");
    screen.type("q");
    expect(await screen.exit()).toBe(0);
  });

  test("plays sounds with an installed player as they arrive, and stops it at once", async () => {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    const [played, pidFile] = [join(folder, "played.wav"), join(folder, "pid")];
    // It keeps running after the end of the sound, like a player that still plays its buffer.
    writeFileSync(
      join(bin, "aplay"),
      `#!/bin/sh\necho $$ > ${pidFile}\n/bin/cat > ${played}\nexec /bin/sleep 60\n`,
    );
    chmodSync(join(bin, "aplay"), 0o755);
    cleanup(() => rmSync(bin, { recursive: true }));
    using screen = open(await serve());
    await screen.shows("played with aplay");
    await screen.shows(/^connected for/);
    screen.type("p");
    const wholeBytes = wavHeaderBytes + 2 * 20 * 960;
    await until("the sound", limitMs, () => existsSync(played) && readFileSync(played).length === wholeBytes);
    screen.type("s");
    const pid = Number(readFileSync(pidFile, "utf8"));
    await until("the player's end", limitMs, () => !isAlive(pid));
    screen.type("q");
    expect(await screen.exit()).toBe(0);
    expect(screen.text).not.toContain("could not play");
  });

  test("shows LEDs without colors if NO_COLOR is set", async () => {
    const server = await serve();
    const args = ["device", "--grpc", server.address, "--no-play"];
    using screen = new ClientTerminal(args, folder, { NO_COLOR: "1" });
    await screen.shows("not played");
    await screen.shows(/^connected for/);
    screen.type("m");
    await screen.shows(".........  #########");
    expect(screen.text).not.toContain("\u001b[48;2");
  });
});
