import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wavHeaderBytes } from "../../codec/wav/wav.ts";
import { cleanups } from "../../testing/fixtures/client.ts";
import { runClient, startClient } from "../../testing/harness/client-process.ts";
import { until } from "../../testing/harness/until.ts";
import { type MockDeviceBehaviour, MockDeviceServer } from "../../testing/mocks/device-server.ts";
import { correlation, opusPackets, pcm16, signal } from "../../testing/fixtures/sound.ts";
import { samplesOf } from "../../testing/fixtures/wav.ts";

/** 30 packets. */
const source = signal(48_000, 0.6);
const sound = opusPackets(pcm16(source));

const cleanup = cleanups();
let folder = "";

beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "wavecache-device-"))));
afterAll(() => rmSync(folder, { recursive: true }));

async function serve(behaviour: MockDeviceBehaviour = { sound }): Promise<MockDeviceServer> {
  const server = await MockDeviceServer.start(behaviour);
  cleanup(() => server.stop());
  return server;
}

const run = (...args: string[]) => runClient(["device", ...args], { cwd: folder });

/** Removes the times from the lines. */
function linesOf(out: string): string[] {
  return out
    .trim()
    .split("\n")
    .map((line) => line.replace(/^ *\d+\.\d{3} s {2}/, "").replace(/ in [\d.]+ m?s$/, ""));
}

describe("device --press", () => {
  test("runs the steps, prints each event, and saves the sound as it was sent", async () => {
    const server = await serve();
    const args = ["--grpc", server.address, "--id", "lamp:1", "--press", "mode,play"];
    const { out, err, code } = await run(...args, "--output", "sounds");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const lines = linesOf(out);
    expect(lines.slice(0, 3)).toEqual(["connecting", "connected", `LEDs ${"#00000000 ".repeat(6).trim()}`]);
    for (const line of [
      "press mode",
      "press mode acknowledged",
      "press play acknowledged",
      "sound 1 begins",
      "saved sounds/lamp_1_001.wav (600 ms)",
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines.some((line) => line.startsWith("LEDs #00000000 #FF00FFFF #00000000"))).toBe(true);
    const wav = readFileSync(join(folder, "sounds/lamp_1_001.wav"));
    expect(wav.length).toBe(wavHeaderBytes + 2 * source.length);
    expect([wav.readUInt32LE(24), wav.readUInt16LE(22), wav.readUInt32LE(40)]).toEqual([48_000, 1, 57_600]);
    const heard = Float32Array.from(samplesOf(wav.subarray(wavHeaderBytes)));
    expect(correlation(source, heard)).toBeGreaterThan(0.95);
  });

  test("stops a sound in the middle, keeps the part received, and starts a new file for the next sound", async () => {
    const server = await serve({ sound, packetMs: 20 });
    const steps = "play,wait:0.2,stop,wait-end,play,wait:0.1,hold-stop,wait-end";
    const { err, code } = await run("--grpc", server.address, "--press", steps, "--output", "stopped");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(readdirSync(join(folder, "stopped")).sort()).toEqual(["simulator_001.wav", "simulator_002.wav"]);
    const { length } = readFileSync(join(folder, "stopped/simulator_001.wav"));
    expect(length).toBeGreaterThan(wavHeaderBytes);
    expect(length).toBeLessThan(wavHeaderBytes + 2 * source.length);
    expect(server.device.events.slice(-2)).toEqual([
      { button_id: 2, event: 1 },
      { button_id: 2, event: 2 },
    ]);
  });

  test("works with a server that counts every event as a press", async () => {
    const server = await serve({ sound, countsEveryEvent: true });
    const args = ["--grpc", server.address, "--press", "mode,mode,play,wait-end,connect"];
    const { out, err, code } = await run(...args, "--output", "older");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(server.device.events).toEqual([1, 1, 3, 0].map((button_id) => ({ button_id, event: 0 })));
    expect(linesOf(out)).toContain("LEDs #00000000 #00000000 #FF00FFFF #00000000 #00000000 #00000000");
  });

  test("prints one object per line with --json", async () => {
    const server = await serve();
    const { out, code } = await run(
      "--grpc",
      server.address,
      "--press",
      "play,wait-end",
      "--json",
      "-o",
      "json",
    );
    expect(code).toBe(0);
    const objects = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(objects[0]).toMatchObject({ event: "connecting", seconds: expect.any(Number) });
    const end = objects.find(({ event }) => event === "sound-end");
    expect(end).toMatchObject({ sound: 1, end: "end", packets: 30, audioMs: 600 });
    expect(objects.at(-1)).toMatchObject({ event: "saved", audioMs: 600, undecodable: 0 });
  });

  test("fails with a line that says what is missing", async () => {
    const refusing = await serve({ acks: () => false });
    const refused = await run("--grpc", refusing.address, "--press", "mode");
    expect(refused).toMatchObject({ code: 1 });
    expect(refused.err).toBe(
      "error: the server refused: press of mode is not accepted (the server's message says why)\n",
    );
    const damaged = await serve({ sound: [Uint8Array.of(3), ...sound.slice(0, 4)] });
    const odd = await run("--grpc", damaged.address, "--press", "play,wait-end", "-o", "odd");
    expect(odd).toMatchObject({ code: 1 });
    expect(odd.err).toStartWith("error: 1 packet is no Opus (");
    expect(odd.out).toContain("saved odd/simulator_001.wav (100 ms), silence where packets are no Opus (1)");
    const gone = await run("--grpc", "127.0.0.1:1", "--retries", "1", "--press", "mode");
    expect(gone).toMatchObject({ code: 1 });
    expect(gone.err).toStartWith("error: cannot reach the server: 127.0.0.1:1 (");
  });

  test("ends on a signal and saves the part received so far", async () => {
    const server = await serve({ sound: Array.from({ length: 50 }, () => sound).flat(), packetMs: 20 });
    const args = ["device", "--grpc", server.address, "--press", "play,wait-end", "-o", "cut"];
    const child = startClient(args, { cwd: folder });
    await until("a sound", 10_000, () => server.device.events.length === 1);
    child.kill("SIGINT");
    const [out, code] = await Promise.all([child.stdout.text(), child.exited]);
    expect(code).toBe(130);
    if (out.includes("sound 1 begins")) expect(out).toContain("saved cut/simulator_001.wav");
    await until("the calls' ends", 10_000, () => server.openCalls === 0);
  });

  test("refuses invalid options", async () => {
    const refusals: [string[], string][] = [
      [["--press", "mode,jump"], 'error: --press has no step "jump" (steps are mode, play, stop'],
      [["--press", "wait:x"], 'error: --press has no step "wait:x"'],
      [["--grpc", "a:b:c", "--press", "mode"], 'error: --grpc is no address: "a:b:c" (give it like'],
      [["--id", "a/b", "--press", "mode"], 'error: bad argument: device id "a/b"'],
      [["--count", "0"], 'error: --count is not a whole number from 1 to 10000: "0"'],
      [[], "error: nobody is here to press buttons (give --press STEPS: "],
    ];
    for (const [args, line] of refusals) {
      const { err, code } = await run(...args);
      expect({ code, err: err.slice(0, line.length) }).toEqual({ code: 2, err: line });
    }
  });
});

describe("device --count", () => {
  test("prints the totals of all devices", async () => {
    const server = await serve();
    const args = ["--grpc", server.address, "--id", "many", "--count", "5", "--press", "mode,stop"];
    const { out, code } = await run(...args, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      devices: 5,
      connected: 5,
      failed: 0,
      acknowledged: 10,
      lostConnections: 0,
    });
    expect(new Set(server.ids)).toEqual(new Set([1, 2, 3, 4, 5].map((at) => `many-${at}`)));
  });

  test("presses random buttons without a script, and prints a table", async () => {
    const server = await serve();
    const { out, code } = await run("--grpc", server.address, "--count", "2", "--seconds", "1");
    expect(code).toBe(0);
    expect(out).toMatch(/^Devices {2}2 \(simulator-1 to simulator-2\), 2 connected\n/);
    expect(out).toMatch(/\nResult {3}all did what they were to do\n$/);
    expect(Number(/\nButtons +(\d+) events/.exec(out)?.[1])).toBeGreaterThanOrEqual(2);
  });

  test("counts the failed devices", async () => {
    const server = await serve({ refuses: { code: 7, details: "not you" } });
    const { out, err, code } = await run("--grpc", server.address, "--count", "3", "--press", "mode");
    expect(code).toBe(1);
    expect(err).toStartWith("error: 3 of 3 devices failed: the server refused: not you (");
    expect(out).toContain("3 of 3 FAILED");
  });
});
