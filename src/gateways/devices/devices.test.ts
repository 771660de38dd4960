/** Buttons, LEDs and sounds of a device: real calls over loopback, with silent sounds. */
import { expect, test } from "bun:test";
import { ledsFlash, ledsOf, ledsOff } from "../../engine/devices/device-state.ts";
import { DeviceServer, FakeSounds, fakePacket } from "../../testing/harness/servers/device-gateway.ts";
import { GrpcDevice } from "../../testing/harness/peers/grpc-device.ts";
import { until } from "../../testing/harness/until.ts";
import { buttonEvents, type Leds } from "../../wire/devices.ts";

const idle = (mode: number) => ledsOf({ mode, playing: undefined });
const playing = (mode: number, sound = mode) => ledsOf({ mode, playing: sound });
const ends = (device: GrpcDevice) => device.packets.filter((packet) => packet.is_end).length;

async function untilQuiet(server: DeviceServer): Promise<void> {
  await until("nothing left behind", 5_000, () => server.isQuiet);
}

test("the first request comes at once and sets all six LEDs, also those that are off", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a", { streams: ["status"] });
  await device.untilConnected();
  const { set } = device.requests[0]!;
  const off = { rgba: 0 };
  expect(set).toEqual({ led_0: off, led_1: off, led_2: off, led_3: off, led_4: off, led_5: off });
});

test("the LEDs flash once when a device connects, and then show the state", async () => {
  await using server = await DeviceServer.start({ flashMs: 200 });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  const began = performance.now();
  expect(device.shown).toEqual([ledsFlash]);
  await device.untilShown(ledsOff);
  expect(performance.now() - began).toBeGreaterThan(150);
  expect(device.shown).toEqual([ledsFlash, ledsOff]);
});

test("a button cuts the flash short", async () => {
  await using server = await DeviceServer.start({ flashMs: 60_000 });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode");
  await device.untilShown(idle(1));
});

test("Mode cycles through 0, 1, ... 5, 1, each with a set and an ack", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  for (const mode of [1, 2, 3, 4, 5, 1]) {
    await device.pressed("mode");
    await device.untilShown(idle(mode));
  }
  const magenta = 0xff00ffff;
  expect(device.shown.slice(1, 3)).toEqual([
    [0, magenta, 0, 0, 0, 0],
    [0, 0, magenta, 0, 0, 0],
  ] satisfies Leds[]);
  expect(device.acks).toBe(6);
});

test("Play sends the mode's sound: is_start with data first, is_end without data last", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode", "mode", "play");
  await device.untilShown(playing(2));
  await device.until("the end", () => ends(device) === 1);
  await device.untilShown(idle(2));
  const packets = device.packets;
  expect(packets.length).toBe(11);
  expect(packets[0]).toEqual({ is_start: true, is_end: false, data: Buffer.from(fakePacket(2, 0)) });
  expect(packets.slice(1, 10).every((packet) => !packet.is_start && !packet.is_end)).toBe(true);
  expect(packets.slice(0, 10).map((packet) => Buffer.from(packet.data))).toEqual(
    Array.from({ length: 10 }, (_, n) => Buffer.from(fakePacket(2, n))),
  );
  expect(packets[10]).toEqual({ is_start: false, is_end: true, data: Buffer.alloc(0) });
});

test("a sound is sent in real time, ahead by no more than the lead", async () => {
  await using server = await DeviceServer.start({ leadMs: 200, sounds: new FakeSounds([60]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press("play");
  await device.until("the end", () => ends(device) === 1);
  const start = device.received[0]!.at;
  for (const [n, { at }] of device.received.slice(0, 60).entries()) {
    // On a busy machine the first packet may arrive late, together with later ones.
    expect(at - start).toBeGreaterThan(n * 20 - 200 - 500);
  }
  expect(device.received.at(-1)!.at - start).toBeGreaterThan(60 * 20 - 500);
  expect(device.received[9]!.at - start).toBeLessThan(2_000);
});

test("a sound is sent while it is still being encoded", async () => {
  const sounds = new FakeSounds([30]);
  sounds.ready = 3;
  await using server = await DeviceServer.start({ sounds });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press("play");
  await device.until("the end", () => ends(device) === 1);
  expect(device.packets.length).toBe(31);
});

test("a sound that fails during encoding ends, is logged, and leaves the device idle", async () => {
  const sounds = new FakeSounds([30]);
  sounds.ready = 3;
  sounds.failsAfter = 8;
  await using server = await DeviceServer.start({ sounds });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press("play");
  await device.until("the end", () => ends(device) === 1);
  await device.untilShown(idle(0));
  expect(server.log.lines.join("\n")).toContain("cannot be made");
});

test("Play during a sound stops it and starts the current mode's sound from the beginning", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([500, 500]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press("play");
  await device.until("a sound", () => device.packets.length > 5);
  device.press("mode");
  await device.untilShown(playing(1, 0));
  device.press("play");
  await device.untilShown(playing(1));
  await device.until("another sound", () => device.packets.filter((packet) => packet.is_start).length === 2);
  const end = device.packets.findIndex((packet) => packet.is_end);
  const next = device.packets[end + 1]!;
  expect(next.is_start).toBe(true);
  expect([...next.data]).toEqual([...fakePacket(1, 0)]);
  expect(device.packets.slice(0, end).every((packet) => packet.data[1] === 0)).toBe(true);
});

test("Mode during a sound affects only the next Play", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([50, 5]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press("play");
  await device.until("a sound", () => device.packets.length > 5);
  await device.pressed("mode");
  await device.until("the end", () => ends(device) === 1);
  expect(device.packets.length).toBe(51);
  expect(device.packets.slice(0, 50).every((packet) => packet.data[1] === 0)).toBe(true);
  await device.untilShown(idle(1));
  device.press("play");
  await device.until("the next end", () => ends(device) === 2);
  expect([...device.packets[51]!.data]).toEqual([...fakePacket(1, 0)]);
});

test("Stop ends a long sound at once, with is_end, LEDs off and mode 0", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([0, 50_000]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode", "play");
  await device.until("a sound", () => device.packets.length > 20);
  const began = performance.now();
  device.press("stop");
  await device.until("the end", () => ends(device) === 1);
  const tookMs = performance.now() - began;
  expect(tookMs).toBeLessThan(1_000);
  await device.untilShown(ledsOff);
  const count = device.packets.length;
  await device.pressed("connect");
  expect(device.packets.length).toBe(count);
  expect(device.packets.at(-1)!.is_end).toBe(true);
  expect(server.devices.find("a")).toMatchObject({ mode: 0, playing: undefined });
  expect(server.sounds.playing).toBe(0);
});

test("holding Stop resets the device; a release is acked and does nothing else", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([0, 500]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode", "play");
  for (const button of ["mode", "stop", "play", "connect"] as const)
    device.press(button, buttonEvents.release);
  for (const button of ["mode", "play", "connect"] as const) device.press(button, buttonEvents.hold);
  await device.until("acks", () => device.acks === 9);
  expect(server.devices.find("a")).toMatchObject({ mode: 1, playing: 1 });
  device.press("stop", buttonEvents.hold);
  await device.untilShown(ledsOff);
  await device.until("the end", () => ends(device) === 1);
  expect(server.devices.find("a")).toMatchObject({ mode: 0, playing: undefined });
});

test("unknown buttons, unknown events and empty ones are acked and logged", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press(9);
  device.press("mode", 7);
  device.sendEmptyEvent();
  await device.until("acks", () => device.acks === 3);
  expect(server.log.lines.filter((line) => line.includes("unknown button")).length).toBe(3);
  expect(server.devices.find("a")).toMatchObject({ mode: 0, playing: undefined });
});

test("Play before the audio stream is open starts when it opens", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a", { streams: ["events", "status"] });
  await device.untilConnected();
  await device.pressed("mode", "play");
  await device.untilShown(playing(1));
  device.open("audio");
  await device.until("the end", () => ends(device) === 1);
  expect(device.packets[0]!.is_start).toBe(true);
  expect(device.packets.length).toBe(11);
});

test("a mode without a sound: acked, logged with a hint, and idle again", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode", "play");
  await device.untilShown(idle(1));
  await until("a line", 5_000, () =>
    server.log.lines.some((line) => line.includes("no sound for this mode") && line.includes("mode_1.wav")),
  );
  expect(device.packets).toEqual([]);
});

test("an empty sound sends nothing and leaves the device idle", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([0]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("play");
  await device.until("LEDs", () => device.shown.length >= 2);
  await device.untilShown(ledsOff);
  expect(device.packets).toEqual([]);
  expect(server.devices.playing).toBe(0);
});

test("the next request waits for the answer, and then shows the newest LEDs only", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a", { silent: true });
  await device.untilConnected();
  await device.pressed("mode", "mode", "mode");
  expect(device.requests.length).toBe(1);
  device.answer();
  await device.untilShown(idle(3));
  expect(device.shown).toEqual([ledsOff, idle(3)]);
});

test("a device that never answers is logged once and still gets the newest LEDs", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a", { silent: true });
  await device.untilConnected();
  await device.pressed("mode", "mode");
  await device.untilShown(idle(2));
  await device.pressed("mode");
  await device.untilShown(idle(3));
  expect(server.log.lines.filter((line) => line.includes("does not answer")).length).toBe(1);
});

test("a refresh returns what the device reports", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  await device.pressed("mode");
  device.battery = 0.25;
  const view = await server.devices.refresh("a");
  expect(view.report).toMatchObject({
    leds: [...idle(1)],
    pressed: [false, false, false, false],
    battery: 0.25,
  });
  expect(device.requests.at(-1)!.get).toBe(true);
});

test("the mode survives a reconnect; meanwhile the LEDs are off and the sound has ended", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([0, 0, 500]) });
  const first = new GrpcDevice(server.port, "a");
  await first.untilConnected();
  await first.pressed("mode", "mode", "play");
  await first.until("a sound", () => first.packets.length > 0);
  first.close();
  await untilQuiet(server);
  expect(server.devices.find("a")).toMatchObject({
    connectedAt: undefined,
    mode: 2,
    playing: undefined,
    leds: ledsOff,
  });
  using again = new GrpcDevice(server.port, "a");
  await again.untilConnected();
  expect(again.shown).toEqual([idle(2)]);
});

test("cancelling only the audio stream releases the sound and keeps the device connected", async () => {
  await using server = await DeviceServer.start({ sounds: new FakeSounds([500]) });
  using device = new GrpcDevice(server.port, "a");
  await device.untilConnected();
  device.press("play");
  await device.until("a sound", () => device.packets.length > 0);
  device.cancel("audio");
  await until(
    "the sound is released",
    5_000,
    () => server.sounds.playing === 0 && server.devices.playing === 0,
  );
  await device.untilShown(ledsOff);
  device.open("audio");
  await device.pressed("play");
  await device.until("another sound", () => device.packets.filter((packet) => packet.is_start).length === 2);
});

test("a device that closes its side of a stream leaves the stream", async () => {
  await using server = await DeviceServer.start();
  using device = new GrpcDevice(server.port, "a", { streams: ["status", "events"] });
  await device.untilConnected();
  device.endOwnSide("status");
  device.endOwnSide("events");
  await device.until(
    "both to end",
    () => device.endings.status !== undefined && device.endings.events !== undefined,
  );
  expect(device.endings.status!.code).toBe(0);
  await untilQuiet(server);
});
