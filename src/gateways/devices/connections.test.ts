/** Connections of devices: takeover, reconnect, failure, flood, and cleanup. Real calls over loopback. */
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { expect, test } from "bun:test";
import { connect } from "node:net";
import { deviceMessageBurst, maxDeviceMessageBytes } from "../../base/limits/devices.ts";
import { ledsOf } from "../../engine/devices/device-state.ts";
import { DeviceChannel } from "../../testing/harness/peers/device-channel.ts";
import { DeviceServer, FakeSounds, MemoryStore } from "../../testing/harness/servers/device-gateway.ts";
import { GrpcDevice, type StreamKind } from "../../testing/harness/peers/grpc-device.ts";
import { TcpProxy } from "../../testing/harness/tcp-proxy.ts";
import { until, within } from "../../testing/harness/until.ts";

const invalidArgument = 3;
const resourceExhausted = 8;
const unavailable = 14;

const long = () => new FakeSounds([5000, 5000, 5000, 5000, 5000, 5000]);

async function untilQuiet(server: DeviceServer): Promise<void> {
  await until("nothing left behind", 10_000, () => server.isQuiet);
}

async function untilPlaying(device: GrpcDevice): Promise<void> {
  await device.untilConnected();
  device.press("play");
  await device.until("a sound", () => device.packets.length > 0);
}

async function untilEnded(device: GrpcDevice, ...kinds: StreamKind[]): Promise<void> {
  await device.until(`the end of ${kinds.join(", ")}`, () =>
    kinds.every((kind) => device.endings[kind] !== undefined),
  );
}

test("a second connection with the same id takes over: the first one's streams end with OK, and its sound ends", async () => {
  await using server = await DeviceServer.start({ sounds: long() });
  using first = new GrpcDevice(server.port, "a");
  await untilPlaying(first);
  using second = new GrpcDevice(server.port, "a", { streams: ["status"] });
  await untilEnded(first, "status", "events", "audio");
  expect(Object.values(first.endings).map(({ code }) => code)).toEqual([0, 0, 0]);
  expect(first.packets.at(-1)!.is_end).toBe(true);
  await second.untilConnected();
  second.open("events");
  second.open("audio");
  await second.pressed("mode", "play");
  await second.until("its sound", () => second.packets.length > 0);
  expect(server.devices.find("a")).toMatchObject({ mode: 1, playing: 1 });
  expect(server.devices.connected).toBe(1);
});

const openOrders: StreamKind[][] = [
  ["status", "events", "audio"],
  ["events", "audio", "status"],
  ["audio", "status", "events"],
];
for (const streams of openOrders) {
  test(`a takeover is complete when the streams open as ${streams.join(", ")}, each on its own connection`, async () => {
    await using server = await DeviceServer.start({ sounds: long() });
    using first = new GrpcDevice(server.port, "a", { streams });
    await untilPlaying(first);
    const parts: GrpcDevice[] = [];
    for (const kind of streams) {
      const part = new GrpcDevice(server.port, "a", { streams: [kind] });
      parts.push(part);
      await untilEnded(first, kind);
    }
    await untilEnded(first, ...streams);
    const of = (kind: StreamKind) => parts[streams.indexOf(kind)]!;
    await of("status").untilConnected();
    await of("events").pressed("play");
    await of("audio").until("the sound", () => of("audio").packets.length > 0);
    await of("status").untilShown(ledsOf({ mode: 0, playing: 0 }));
    expect(parts.every((part) => Object.keys(part.endings).length === 0)).toBe(true);
    for (const part of parts) part.close();
    await untilQuiet(server);
  });
}

test("streams of two devices on one connection are independent", async () => {
  await using server = await DeviceServer.start({ sounds: long() });
  using one = new GrpcDevice(server.port, "one");
  using other = new GrpcDevice(server.port, "other", { channel: one.channel });
  await untilPlaying(one);
  await other.untilConnected();
  await other.pressed("mode", "mode");
  await other.untilShown(ledsOf({ mode: 2, playing: undefined }));
  expect(other.packets).toEqual([]);
  for (const kind of ["status", "events", "audio"] as const) other.cancel(kind);
  await until("one left", 5_000, () => server.devices.connected === 1);
  const count = one.packets.length;
  await one.until("more of the sound", () => one.packets.length > count);
});

test("a storm of reconnects leaves one connection, and nothing once that closes", async () => {
  await using server = await DeviceServer.start({ sounds: long() });
  const devices: GrpcDevice[] = [];
  for (let round = 0; round < 40; round++) {
    const device = new GrpcDevice(server.port, "a");
    devices.push(device);
    if (round % 3 === 0) await untilPlaying(device);
    if (round % 4 === 0) device.close();
  }
  const last = devices.at(-1)!;
  await untilPlaying(last);
  await until("one connection", 10_000, () => server.meter.connections === 3);
  expect(server.devices.connected).toBe(1);
  expect(server.sounds.playing).toBe(1);
  for (const device of devices) device.close();
  await untilQuiet(server);
});

test("a connection that is cut leaves nothing behind", async () => {
  await using server = await DeviceServer.start({ sounds: long() });
  using proxy = await TcpProxy.open(server.port);
  const devices = Array.from({ length: 5 }, (_, index) => new GrpcDevice(proxy.port, `d${index}`));
  await Promise.all(devices.map(untilPlaying));
  proxy.cut();
  await untilQuiet(server);
  for (const device of devices) device.close();
});

test("a device that vanishes is detected by keepalive and leaves nothing behind", async () => {
  await using server = await DeviceServer.start({
    sounds: long(),
    gateway: { keepaliveMs: 500, keepaliveTimeoutMs: 500 },
  });
  using proxy = await TcpProxy.open(server.port);
  using device = new GrpcDevice(proxy.port, "a");
  await untilPlaying(device);
  proxy.fallSilent();
  await untilQuiet(server);
  expect(server.devices.find("a").connectedAt).toBeUndefined();
});

test("a connection without a stream closes at the idle timeout, one with a stream does not", async () => {
  await using server = await DeviceServer.start({ gateway: { idleMs: 300 } });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  const closed = Promise.withResolvers<void>();
  const socket = connect(server.port, "127.0.0.1");
  socket.on("close", () => closed.resolve());
  socket.on("data", () => undefined);
  // The HTTP/2 preface and empty settings.
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0", "latin1");
  await within("the end of the connection", 10_000, closed.promise);
  await device.pressed("mode");
});

test("a stream without an id, with two ids, or with an invalid id is refused", async () => {
  await using server = await DeviceServer.start();
  for (const id of ["", "a b", ".", "x".repeat(129)]) {
    using device = new GrpcDevice(server.port, id);
    await untilEnded(device, "status", "events", "audio");
    expect(Object.values(device.endings).map(({ code }) => code)).toEqual([3, 3, 3]);
    expect(device.endings.status!.details).toContain("device_id");
  }
  for (const ids of [[], ["a", "b"]]) {
    expect(await codeOfRawCall(server.port, ids)).toBe(invalidArgument);
  }
  expect(server.devices.connected).toBe(0);
  expect(server.meter.errors.get("BAD_DEVICE_ID")).toBeGreaterThan(5);
});

/** The status code of an audio stream opened with these ids. */
async function codeOfRawCall(port: number, ids: string[]): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  for (const id of ids) metadata.add("device_id", id);
  const call = client.makeServerStreamRequest(
    "/com.opalcamera.test.DeviceService/ServerAudioStream",
    () => Buffer.alloc(0),
    (bytes) => bytes,
    {},
    metadata,
  );
  const { promise, resolve } = Promise.withResolvers<number>();
  call.on("data", () => undefined);
  call.on("error", () => undefined);
  call.on("status", ({ code }) => resolve(code));
  const code = await promise;
  client.close();
  return code;
}

test("a flood of events ends its own stream only", async () => {
  await using server = await DeviceServer.start();
  using other = new GrpcDevice(server.port, "other");
  using device = new GrpcDevice(server.port, "a");
  await Promise.all([other.untilConnected(), device.untilConnected()]);
  for (let count = 0; count < 3 * deviceMessageBurst; count++) device.press("mode");
  await untilEnded(device, "events");
  expect(device.endings.events!.code).toBe(resourceExhausted);
  expect(device.acks).toBeLessThan(2 * deviceMessageBurst);
  expect(device.endings.status).toBeUndefined();
  await other.pressed("mode");
  await other.untilShown(ledsOf({ mode: 1, playing: undefined }));
});

test("a message that is too long or malformed ends its stream only", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  const channel = new DeviceChannel(`127.0.0.1:${server.port}`);
  const call = channel.openStatus("b");
  const { promise, resolve } = Promise.withResolvers<number>();
  call.on("error", () => undefined);
  call.on("data", () => undefined);
  call.on("status", ({ code }) => resolve(code));
  call.write({ status: "x".repeat(maxDeviceMessageBytes) });
  expect(await promise).toBe(resourceExhausted);
  channel.close();
  expect(await codeOfGarbage(server.port)).toBeGreaterThan(0);
  await until("one device", 5_000, () => server.devices.connected === 1);
  await device.pressed("mode");
});

/** The status code of an event stream that gets a malformed message. */
async function codeOfGarbage(port: number): Promise<number> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set("device_id", "garbage");
  const call = client.makeBidiStreamRequest<Buffer, Buffer>(
    "/com.opalcamera.test.DeviceService/EventStream",
    (bytes) => bytes,
    (bytes) => bytes,
    metadata,
  );
  const { promise, resolve } = Promise.withResolvers<number>();
  call.on("error", () => undefined);
  call.on("data", () => undefined);
  call.on("status", ({ code }) => resolve(code));
  call.write(Buffer.from("0aff0000", "hex"));
  const code = await promise;
  client.close();
  return code;
}

test("a device that does not read its sound delays no other device, and resumes when it reads again", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([20, 5000]), leadMs: 100 });
  using slow = new GrpcDevice(server.port, "slow");
  using device = new GrpcDevice(server.port, "a");
  await Promise.all([slow.untilConnected(), device.untilConnected()]);
  await slow.pressed("mode");
  slow.pauseAudio();
  slow.press("play");
  await device.pressed("play");
  await device.until("its whole sound", () => device.packets.length === 21);
  slow.resumeAudio();
  await slow.until("the sound", () => slow.packets.length > 10);
  await slow.pressed("stop");
  await slow.until("the end", () => slow.packets.at(-1)!.is_end);
});

test("closing the server ends sounds and streams with UNAVAILABLE, so that devices reconnect", async () => {
  const store = new MemoryStore();
  const server = await DeviceServer.start({ sounds: long(), store });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode", "mode");
  await untilPlaying(device);
  const began = performance.now();
  await server.close();
  expect(performance.now() - began).toBeLessThan(5_000);
  await untilEnded(device, "status", "events", "audio");
  expect(Object.values(device.endings).map(({ code }) => code)).toEqual([
    unavailable,
    unavailable,
    unavailable,
  ]);
  expect(device.packets.at(-1)!.is_end).toBe(true);
  expect(server.isQuiet).toBe(true);
  expect(store.rows.get("a")).toMatchObject({ mode: 2 });
});

test("saved state survives a restart, and a store that fails for a while loses nothing", async () => {
  const store = new MemoryStore();
  {
    await using server = await DeviceServer.start({ store });
    using device = new GrpcDevice(server.port, "a");
    await device.untilConnected();
    store.fails = true;
    await device.pressed("mode", "mode", "mode");
    await until("a line", 5_000, () => server.log.lines.some((line) => line.includes("could not be kept")));
    store.fails = false;
    await until("the row", 5_000, () => store.rows.get("a")?.mode === 3);
  }
  await using server = await DeviceServer.start({ store });
  expect(server.devices.find("a")).toMatchObject({ mode: 3, connectedAt: undefined, playing: undefined });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  expect(device.shown).toEqual([ledsOf({ mode: 3, playing: undefined })]);
});
