import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemCode } from "../../base/errors.ts";
import { wavHeaderBytes } from "../../codec/wav.ts";
import { cleanups } from "../../testing/fixtures/client.ts";
import { ClientTerminal } from "../../testing/harness/client-terminal.ts";
import { until } from "../../testing/harness/until.ts";
import { type MockDeviceBehaviour, MockDeviceServer } from "../../testing/mocks/device-server.ts";
import { opusPackets, pcm16, signal } from "../../testing/fixtures/sound.ts";

const limitMs = 10_000;
/** 20 packets. */
const sound = opusPackets(pcm16(signal(48_000, 0.4)));
const left = "\u001b[?25h\u001b[?1049l";

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

/** A device on a terminal; nothing is on its PATH but what is in the folder `bin`. */
function open({ address }: MockDeviceServer, args: string[] = []): ClientTerminal {
  const env = { PATH: join(folder, "bin") };
  return new ClientTerminal(["device", "--grpc", address, "--id", "lamp", ...args], folder, env);
}

describe.skipIf(process.platform === "win32")("device on a terminal", () => {
  test("shows LEDs and sounds, presses buttons by keys, and leaves the terminal as it was", async () => {
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
    screen.type("q");
    expect(await screen.exit()).toBe(0);
    expect(screen.isRaw).toBe(false);
    expect(screen.text).toEndWith(`${left}saved audio/output/lamp_001.wav (400 ms)\r\n`);
    const buttons = server.device.events.filter(({ event }) => event < 2).map(({ button_id }) => button_id);
    expect(buttons).toEqual([1, 3, 2, 2]);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("leaves the terminal as it was on %s", async (signal) => {
    using screen = open(await serve());
    await screen.shows(/^connected for/);
    expect(await screen.exit(signal)).toBe(signal === "SIGINT" ? 130 : 143);
    expect(screen.isRaw).toBe(false);
    expect(screen.text).toContain(left);
  });

  test("ends on Ctrl-C, and in an error when the server ends the connection", async () => {
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
    expect(other.text).toContain(`${left}error: the server has ended the connection (has another device`);
  });

  test("waits for a server that is not there, and can be quit meanwhile", async () => {
    const server = await serve();
    server.stop();
    using screen = open(server);
    await screen.shows(/trying again in .*: cannot reach the server/);
    screen.type("m");
    await screen.shows("mode does nothing without a connection");
    screen.type("q");
    expect(await screen.exit()).toBe(0);
  });

  test("plays sounds as they come through a player of the machine, and stops it at once", async () => {
    const bin = join(folder, "bin");
    mkdirSync(bin, { recursive: true });
    const [played, pidFile] = [join(folder, "played.wav"), join(folder, "pid")];
    // What it is given goes on after the end of the sound, as with a player that still has some to play.
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

  test("shows LEDs without colors where NO_COLOR asks for none", async () => {
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
