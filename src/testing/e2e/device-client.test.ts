/** `bun run client device` against the real server: its behaviour and the files it saves. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { wavHeaderBytes } from "../../codec/wav/wav.ts";
import { runClient, startClient } from "../harness/client-process.ts";
import { device } from "../harness/http/devices.ts";
import { makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";
import { correlation, signal, soundWav } from "../fixtures/sound.ts";
import { samplesOf } from "../fixtures/wav.ts";

useServers();

const limitMs = 15_000;
const bytesOfPacket = 2 * 960;
const short = signal(48_000, 0.6);
let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags: { "grpc-port": 0 } });
  const library = join(server.folder, "library");
  mkdirSync(library, { recursive: true });
  writeFileSync(join(library, "mode_1.wav"), soundWav(short, 48_000));
  writeFileSync(join(library, "mode_2.wav"), soundWav(signal(16_000, 20), 16_000));
});

afterAll(() => server.dispose());

function run(id: string, ...args: string[]) {
  const grpc = `127.0.0.1:${server.grpcPort}`;
  return runClient(["device", "--grpc", grpc, "--id", id, ...args], { cwd: server.folder });
}

test("a device saves the sound of its mode as a WAV file", async () => {
  const { out, err, code } = await run(
    "saver",
    "--press",
    "mode,play,wait-end",
    "-o",
    "saved",
    "--battery",
    "55",
  );
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out).toContain("LEDs #00000000 #00FF00FF #00000000");
  const wav = readFileSync(join(server.folder, "saved/saver_001.wav"));
  const packets = (wav.length - wavHeaderBytes) / bytesOfPacket;
  // The encoder's delay may add a packet.
  expect([30, 31]).toContain(packets);
  const heard = Float32Array.from(samplesOf(wav.subarray(wavHeaderBytes)));
  expect(correlation(short, heard)).toBeGreaterThan(0.95);
});

test("a device that stops amid a long sound saves the part it has received", async () => {
  const { err, code } = await run(
    "stopper",
    "--press",
    "mode,mode,play,wait:0.5,stop,wait-end",
    "-o",
    "stopped",
  );
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(readdirSync(join(server.folder, "stopped"))).toEqual(["stopper_001.wav"]);
  const { length } = readFileSync(join(server.folder, "stopped/stopper_001.wav"));
  expect(length).toBeGreaterThan(wavHeaderBytes);
  expect(length).toBeLessThan(wavHeaderBytes + 900 * bytesOfPacket);
  expect(await device(server.httpBase, "stopper")).toMatchObject({ mode: 0, playing: null });
});

test("many devices in one process do the same at once", async () => {
  const { out, err, code } = await run(
    "many",
    "--count",
    "20",
    "--press",
    "mode,play,wait-end,stop",
    "--json",
  );
  expect({ code, failed: /error: .*/.exec(err)?.[0] }).toEqual({ code: 0, failed: undefined });
  expect(JSON.parse(out)).toMatchObject({
    devices: 20,
    connected: 20,
    failed: 0,
    sounds: 20,
    acknowledged: 60,
  });
});

test("a device exits and says why when another device connects with its id", async () => {
  const args = ["device", "--grpc", `127.0.0.1:${server.grpcPort}`, "--id", "shared", "--press", "wait:30"];
  const first = startClient(args, { cwd: server.folder });
  await until("the first", limitMs, async () => (await statusOf("shared")) === 200);
  const second = await run("shared", "--press", "mode");
  expect(second.code).toBe(0);
  expect(await within("the first one's end", limitMs, first.exited)).toBe(1);
  expect(await first.stderr.text()).toStartWith("error: the server ended the connection (has another device");
});

async function statusOf(id: string): Promise<number> {
  return (await fetch(`${server.httpBase}/api/devices/${id}`)).status;
}

test("over TLS a device trusts only the given certificate", async () => {
  const certificate = await makeCertificate();
  const paths = await writeCertificate(join(server.folder, "tls"), certificate);
  const flags = { "grpc-port": 0, "tls-cert": paths.cert, "tls-key": paths.key };
  await using secure = await TestServer.start({ flags, env: { WAVECACHE_GRPC_TLS: "yes" } });
  const grpc = `grpcs://127.0.0.1:${secure.grpcPort}`;
  const trusting = await runClient(["device", "--grpc", grpc, "--ca", paths.cert, "--press", "mode"]);
  expect({ err: trusting.err, code: trusting.code }).toEqual({ err: "", code: 0 });
  const untrusting = await runClient(["device", "--grpc", grpc, "--press", "mode"]);
  expect(untrusting.code).toBe(1);
  expect(untrusting.err).toStartWith("error: the server's certificate is not trusted: 127.0.0.1:");
});
