/** Devices and the whole server: sounds, HTTP API, catalog, shutdown, and the standard gRPC services. */
import { ChannelCredentials, Client, makeGenericClientConstructor, Server } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { service as healthService } from "grpc-health-check";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { ledsOf } from "../../engine/devices/device-state.ts";
import { deviceServiceName } from "../../wire/devices.ts";
import { makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { DeviceChannel } from "../harness/peers/device-channel.ts";
import { device, listDevices, refusal } from "../harness/http/devices.ts";
import { EventStreamPeer } from "../harness/peers/event-stream.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";
import { runClient, startClient } from "../harness/client-process.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { melody, wavFile } from "../fixtures/wav.ts";

useServers();

const flags = { "grpc-port": 0 };
const env = { WAVECACHE_FLASH: "no" };
let server: TestServer;

beforeAll(async () => {
  server = await TestServer.start({ flags, env });
  const library = join(server.folder, "library");
  mkdirSync(library, { recursive: true });
  await Bun.write(join(library, "mode_1.wav"), wavFile(melody(16_000, 1), 1));
  await Bun.write(join(library, "mode_2.wav"), wavFile(melody(16_000 * 20, 1), 1));
});

afterAll(async () => {
  await server.dispose();
});

async function connect(id: string, port = server.grpcPort): Promise<GrpcDevice> {
  const connected = new GrpcDevice(port, id);
  await connected.untilConnected();
  return connected;
}

test("a device hears a library file as Opus packets, the second time without encoding it again", async () => {
  using first = await connect("listener");
  await first.pressed("mode", "play");
  await first.until("the end", () => first.packets.at(-1)?.is_end === true);
  expect(first.packets[0]!.is_start).toBe(true);
  // One second in packets of 20 ms, and the padding of the last packet.
  expect(first.packets.length).toBeGreaterThanOrEqual(51);
  expect(first.packets.length).toBeLessThanOrEqual(53);
  const count = first.packets.length;
  const heard = first.packets.map(({ data }) => Buffer.from(data).toString("hex"));
  await first.pressed("play");
  await first.until("the next end", () => first.packets.length === 2 * count);
  expect(first.packets.slice(count).map(({ data }) => Buffer.from(data).toString("hex"))).toEqual(heard);
});

test("the HTTP API shows devices, requests their status and presses their buttons", async () => {
  const { httpBase } = server;
  using one = await connect("api-1");
  using other = await connect("api-2");
  const { devices, next } = await listDevices(httpBase, "?connected=true&after=api&limit=1");
  expect(devices.map(({ deviceId }) => deviceId)).toEqual(["api-1"]);
  expect(next).toBe("api-1");
  expect(devices[0]).toMatchObject({ connected: true, mode: 0, playing: null, battery: null, report: null });
  one.battery = 0.5;
  expect(await device(httpBase, "api-1?refresh=1")).toMatchObject({
    battery: 0.5,
    report: { pressed: [false, false, false, false] },
  });
  expect(await device(httpBase, "api-1/mode", "POST")).toMatchObject({ mode: 1 });
  expect(await device(httpBase, "api-1/mode?mode=2", "POST")).toMatchObject({ mode: 2 });
  await one.untilShown(ledsOf({ mode: 2, playing: undefined }));
  const playing = await device(httpBase, "api-1/play", "POST");
  expect(playing.playing).toBe(2);
  expect(playing.leds).toEqual(["#00000000", "#00000000", "#00FF00FF", ...Array(3).fill("#00000000")]);
  await one.until("the sound", () => one.packets.length > 10);
  const metrics = await (await fetch(`${httpBase}/metrics`)).text();
  expect(metrics).toMatch(/^wavecache_devices [1-9]/m);
  expect(metrics).toMatch(/^wavecache_device_sounds [1-9]/m);
  expect(metrics).toMatch(/^wavecache_sent_bytes_total\{door="devices"\} [1-9]/m);
  expect(await device(httpBase, "api-1/stop", "POST")).toMatchObject({ mode: 0, playing: null });
  await one.until("its end", () => one.packets.at(-1)!.is_end);
  expect(other.packets).toEqual([]);
  expect(await device(httpBase, "api-2")).toMatchObject({ mode: 0 });
});

test("the HTTP API answers what it cannot do with an error", async () => {
  const { httpBase } = server;
  (await connect("gone")).close();
  await until("it to leave", 5_000, async () => !(await device(httpBase, "gone")).connected);
  const post = { method: "POST" };
  expect(await refusal(httpBase, "/nobody")).toBe("404 DEVICE_UNKNOWN");
  expect(await refusal(httpBase, "/nobody/play", post)).toBe("404 DEVICE_UNKNOWN");
  expect(await refusal(httpBase, "/gone/dance", post)).toBe("404 ROUTE_UNKNOWN");
  expect(await refusal(httpBase, "/%zz")).toBe("404 DEVICE_UNKNOWN");
  expect(await refusal(httpBase, "/gone/play", post)).toBe("409 DEVICE_AWAY");
  expect(await refusal(httpBase, "/gone/mode?mode=6", post)).toBe("400 BAD_REQUEST");
  expect(await refusal(httpBase, "/gone/play?mode=1", post)).toBe("400 BAD_REQUEST");
  expect(await refusal(httpBase, "?limit=0")).toBe("400 BAD_REQUEST");
  const foreign = { ...post, headers: { origin: "https://elsewhere.example" } };
  expect(await refusal(httpBase, "/gone/stop", foreign)).toBe("403 FOREIGN_ORIGIN");
  expect((await fetch(`${httpBase}/api/devices/gone/play`)).status).toBe(405);
  expect((await fetch(`${httpBase}/api/devices`, post)).status).toBe(405);
});

test("playing a sound that cannot be read, or that does not exist, says so", async () => {
  const { httpBase } = server;
  using _ = await connect("deaf");
  const post = { method: "POST" };
  const playIn = async (mode: number) => {
    await device(httpBase, `deaf/mode?mode=${mode}`, "POST");
    return await refusal(httpBase, "/deaf/play", post);
  };
  await Bun.write(join(server.folder, "library", "mode_4.wav"), "RIFF....WAVEnothing more");
  expect(await playIn(4)).toBe("500 SOUND_UNREADABLE");
  await server.untilLogged("mode_4.wav: the WAV file ends before its audio");
  expect(await playIn(5)).toBe("404 SOUND_UNKNOWN");
  expect(await device(httpBase, "deaf")).toMatchObject({ playing: null });
});

test("the API presses, holds and releases the buttons of a device, as the device itself would", async () => {
  const { httpBase } = server;
  using one = await connect("held");
  using events = await EventStreamPeer.open(httpBase, "type=device.button&subject=devices/held");
  const use = (button: string, event: string) =>
    device(httpBase, `held/buttons/${button}?event=${event}`, "POST");
  expect(await use("mode", "press")).toMatchObject({ mode: 1, held: [false, false, false, false] });
  await one.untilShown(ledsOf({ mode: 1, playing: undefined }));
  expect(await use("mode", "hold")).toMatchObject({ mode: 1, held: [false, true, false, false] });
  await use("mode", "hold");
  expect(await use("stop", "hold")).toMatchObject({ mode: 0, held: [false, true, true, false] });
  await one.untilShown(ledsOf({ mode: 0, playing: undefined }));
  await use("mode", "release");
  expect(await use("mode", "release")).toMatchObject({ held: [false, false, true, false] });
  await one.pressed("mode");
  const seen = (await events.take(5)).map(({ data }) => [data["button"], data["event"], data["remote"]]);
  expect(seen).toEqual([
    ["mode", "press", true],
    ["mode", "hold", true],
    ["stop", "hold", true],
    ["mode", "release", true],
    ["mode", "press", false],
  ]);
  one.close();
  await until("the device has left", 10_000, async () => !(await device(httpBase, "held")).connected);
  expect(await device(httpBase, "held")).toMatchObject({ held: [false, false, false, false] });
  expect(await refusal(httpBase, "/held/buttons/stop", { method: "POST" })).toBe("409 DEVICE_AWAY");
  expect(await refusal(httpBase, "/held/buttons/none", { method: "POST" })).toBe("404 BUTTON_UNKNOWN");
});

test("`client press` presses a button of a device, or holds it for a while", async () => {
  using one = await connect("pressed");
  const { httpBase } = server;
  using events = await EventStreamPeer.open(httpBase, "type=device.button&subject=devices/pressed");
  const press = (...args: string[]) => runClient(["press", ...args, "-s", httpBase]);
  expect((await press("pressed", "mode", "--json")).out).toContain('"mode": 1');
  expect((await press("pressed", "connect", "--hold", "1s")).code).toBe(0);
  const seen = (await events.take(3)).map(({ data }) => [data["button"], data["event"]]);
  expect(seen).toEqual([
    ["mode", "press"],
    ["connect", "hold"],
    ["connect", "release"],
  ]);
  expect((await press("nobody", "mode")).err).toContain("no such device: nobody");
  expect((await press("pressed", "open")).code).toBe(2);
  await one.untilShown(ledsOf({ mode: 1, playing: undefined }));
});

test("`client devices` lists devices once, or continuously with --watch", async () => {
  using one = await connect("cli-1");
  await one.pressed("mode");
  const args = ["devices", "--connected", "-s", server.httpBase];
  const { out, err, code } = await runClient(args);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  expect(out).toMatch(/^DEVICE +STATE +SINCE +MODE +PLAYS +LEDS +BATTERY\n/);
  expect(out).toMatch(/^cli-1 +connected +\S+ \S+ UTC +1 +- +1 #FF00FFFF +-$/m);
  const json = JSON.parse((await runClient([...args, "--json"])).out) as Listed;
  expect(json.devices.find(({ deviceId }) => deviceId === "cli-1")).toMatchObject({
    connected: true,
    mode: 1,
  });
  const watch = startClient([...args, "--json", "--watch"]);
  const seen = new WatchedDevices(watch.stdout);
  await until("mode 1", 10_000, () => seen.modeOf("cli-1") === 1);
  await one.pressed("mode");
  await until("mode 2", 10_000, () => seen.modeOf("cli-1") === 2);
  watch.kill("SIGINT");
  expect(await watch.exited).toBe(130);
  expect(await watch.stderr.text()).toBe("interrupted\n");
});

interface Listed {
  devices: { deviceId: string; mode: number }[];
}

/** The last line of `client devices --json --watch`. */
class WatchedDevices {
  #text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    void this.#read(stream);
  }

  modeOf(id: string): number | undefined {
    const line = this.#text.split("\n").at(-2);
    if (line === undefined) return undefined;
    const { devices } = JSON.parse(line) as Listed;
    return devices.find(({ deviceId }) => deviceId === id)?.mode;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) this.#text += decoder.decode(bytes, { stream: true });
  }
}

test("devices survive a restart and a crash, and a shutdown while a sound plays is clean", async () => {
  const own = await TestServer.start({ flags, env });
  await using _ = own;
  const library = join(own.folder, "library");
  mkdirSync(library, { recursive: true });
  await Bun.write(join(library, "mode_2.wav"), wavFile(melody(16_000 * 20, 1), 1));
  using first = await connect("kept", own.grpcPort);
  await first.pressed("mode", "mode", "play");
  await first.until("the sound", () => first.packets.length > 10);
  expect(await device(own.httpBase, "kept?refresh=1")).toMatchObject({ battery: 0.75 });
  expect(await own.stop()).toBe(0);
  await first.until("its end", () => first.endings.audio !== undefined && first.packets.at(-1)!.is_end);
  await own.restart();
  expect(await device(own.httpBase, "kept")).toMatchObject({
    connected: false,
    mode: 2,
    playing: null,
    battery: 0.75,
    leds: Array(6).fill("#00000000"),
  });
  using again = await connect("kept", own.grpcPort);
  expect(again.shown).toEqual([ledsOf({ mode: 2, playing: undefined })]);
  await again.pressed("mode");
  await until("the mode in the catalog", 5_000, () => savedMode(own, "kept") === 3);
  await own.kill9();
  await own.restart();
  expect(await device(own.httpBase, "kept")).toMatchObject({ connected: false, mode: 3 });
});

/** The mode of a device in a copy of the catalog as it lies on the disk, which is locked while the server runs. */
function savedMode({ cacheDir }: TestServer, deviceId: string): number | undefined {
  using copy = temporaryFolder();
  for (const name of ["catalog.db", "catalog.db-wal"]) {
    copyFileSync(join(cacheDir, name), join(copy.path, name));
  }
  using catalog = new Database(join(copy.path, "catalog.db"));
  const row = catalog
    .query<{ mode: number }, [string]>("SELECT mode FROM devices WHERE id = ?")
    .get(deviceId);
  return row?.mode;
}

test("the standard health and reflection services answer", async () => {
  const address = `127.0.0.1:${server.grpcPort}`;
  const Health = makeGenericClientConstructor(healthService, "Health");
  const health = new Health(address, ChannelCredentials.createInsecure());
  for (const service of ["", deviceServiceName]) {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: string }>();
    health["check"]!({ service }, (error: Error | null, answer: { status: string }) =>
      error === null ? resolve(answer) : reject(error),
    );
    expect((await promise).status).toBe("SERVING");
  }
  health.close();
  const services = await reflected(address, { list_services: "*" });
  expect(services).toContain(deviceServiceName);
  expect(services).toContain("grpc.health.v1.Health");
  const file = await reflected(address, { file_containing_symbol: deviceServiceName });
  for (const name of ["StatusStream", "EventStream", "ServerAudioStream", "AudioPacket", "button_event"])
    expect(file).toContain(name);
});

/** The answer of the reflection service as text, with the names in its file descriptors. */
async function reflected(address: string, request: Record<string, string>): Promise<string> {
  const folder = join(import.meta.dir, "../../../node_modules/@grpc/reflection/build/proto");
  const loaded = loadSync("grpc/reflection/v1/reflection.proto", { includeDirs: [folder], keepCase: true });
  const service = loaded["grpc.reflection.v1.ServerReflection"] as Parameters<Server["addService"]>[0];
  const { path, requestSerialize } = service["ServerReflectionInfo"]!;
  const client = new Client(address, ChannelCredentials.createInsecure());
  const call = client.makeBidiStreamRequest(path, requestSerialize, (bytes) => bytes.toString("latin1"));
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  call.on("data", resolve);
  call.on("error", reject);
  call.write(request);
  try {
    return await within("an answer", 5_000, promise);
  } finally {
    call.end();
    client.close();
  }
}

test("with --grpc-tls the gRPC port is encrypted and reloads its certificate without a restart", async () => {
  using folder = temporaryFolder();
  const [old, renewed] = [await makeCertificate(), await makeCertificate()];
  const paths = await writeCertificate(folder.path, old);
  await using own = await TestServer.start({
    flags: { ...flags, "tls-cert": paths.cert, "tls-key": paths.key },
    env: { ...env, WAVECACHE_GRPC_TLS: "yes" },
  });
  const channel = (ca: string) =>
    new DeviceChannel(`localhost:${own.grpcPort}`, ChannelCredentials.createSsl(Buffer.from(ca)));
  using first = new GrpcDevice(0, "first", { channel: channel(old.cert) });
  await first.untilConnected();
  await writeCertificate(folder.path, renewed);
  const second = await until("a device that trusts the new certificate only", 20_000, async () => {
    const attempt = new GrpcDevice(0, "second", { channel: channel(renewed.cert), streams: ["status"] });
    await attempt.until(
      "an answer",
      () => attempt.requests.length > 0 || attempt.endings.status !== undefined,
    );
    if (attempt.requests.length > 0) return attempt;
    attempt.close();
    return undefined;
  });
  second.close();
  await first.pressed("mode");
  using plain = new GrpcDevice(own.grpcPort, "plain", { streams: ["status"] });
  await plain.until("its end", () => plain.endings.status !== undefined);
  expect(plain.requests).toEqual([]);
});

test("the server refuses to start on a gRPC port in use, with one line that names it", async () => {
  using folder = temporaryFolder();
  const port = String(server.grpcPort);
  const folders = ["cache-dir", "recordings-dir", "library-dir"].flatMap((name) => [
    `--${name}`,
    join(folder.path, name),
  ]);
  const run = await runServerToExit(["--port", "0", "--grpc-port", port, ...folders]);
  expect(run.code).not.toBe(0);
  expect(run.stderr.trim().split("\n").length, run.stderr).toBe(1);
  expect(run.stderr).toContain(port);
});
