import { describe, expect, test } from "bun:test";
import { cleanups, failureOf, noise, quickRetry } from "../../testing/fixtures/client.ts";
import { makeCertificate } from "../../testing/harness/certificates.ts";
import { until, within } from "../../testing/harness/until.ts";
import { type MockDeviceBehaviour, MockDeviceServer } from "../../testing/mocks/device-server.ts";
import { Device, type DeviceNotice, type DeviceOptions } from "./device.ts";
import type { Trust } from "../transport/trust.ts";

const limitMs = 10_000;
const off = [0, 0, 0, 0, 0, 0] as const;
const mode1 = [0, 0xff00ffff, 0, 0, 0, 0] as const;
const sound = Array.from({ length: 30 }, (_, at) => noise(40 + at));

const color = (rgba: number) => ({ rgba });

const cleanup = cleanups();

async function serve(behaviour: MockDeviceBehaviour = {}, port?: number): Promise<MockDeviceServer> {
  const server = await MockDeviceServer.start(behaviour, port);
  cleanup(() => server.stop());
  return server;
}

/** A running device and all its notices. */
function start(address: string, options: Partial<DeviceOptions> = {}) {
  const notices: DeviceNotice[] = [];
  const onNotice = (notice: DeviceNotice) => notices.push(notice);
  const device = new Device({ address, deviceId: "lamp:1", retry: quickRetry, onNotice, ...options });
  const done = device.run();
  // Tests of this error await the promise again.
  done.catch(() => undefined);
  cleanup(() => device.close());
  const types = () => notices.map(({ type }) => type);
  const seen = (type: DeviceNotice["type"]) =>
    until(
      type,
      limitMs,
      () => types().includes(type),
      () => types().join(),
    );
  return { device, done, notices, types, seen };
}

async function startConnected(address: string, options?: Partial<DeviceOptions>) {
  const started = start(address, options);
  await started.seen("connected");
  return started;
}

describe("a device", () => {
  test("opens three streams with its id, and sets its LEDs on request", async () => {
    const server = await serve();
    const { device, types } = await startConnected(server.address);
    await until("streams and a set", limitMs, () => server.ids.length === 3 && device.sets === 1);
    expect(server.ids).toEqual(["lamp:1", "lamp:1", "lamp:1"]);
    expect(device.leds).toEqual(off);
    await until("the answer", limitMs, () => server.device.answers.length === 1);
    expect(server.device.answers[0]?.status).toBe("success");
    expect(types()).toEqual(["connecting", "connected", "leds"]);
  });

  test("answers a get with its LEDs except led_0, its buttons and its battery", async () => {
    const server = await serve();
    const { device } = await startConnected(server.address, { battery: 42 });
    await device.press("mode");
    await device.hold("play");
    const leds = { led_0: color(7), led_1: color(1), led_2: null, led_3: null, led_4: null, led_5: color(5) };
    server.device.ask({ set: leds });
    server.device.ask({ get: true });
    await until("the state", limitMs, () =>
      server.device.answers.some(({ response }) => response === "state"),
    );
    expect(device.leds).toEqual([7, 1, 0, 0, 0, 5]);
    expect(server.device.answers.at(-1)?.state).toMatchObject({
      led_0: { rgba: 0 },
      led_1: { rgba: 1 },
      led_5: { rgba: 5 },
      button_1: 1,
      button_4: 0,
      battery_level: 42,
    });
  });

  test("sends press, hold and release, each acknowledged", async () => {
    const server = await serve();
    const { device, types } = await startConnected(server.address);
    expect(await device.press("mode")).toBeLessThan(limitMs);
    await device.hold("play");
    await device.release("play");
    expect(server.device.events).toEqual([
      { button_id: 1, event: 0 },
      { button_id: 3, event: 1 },
      { button_id: 3, event: 2 },
    ]);
    await until("the LED", limitMs, () => device.leds[1] === mode1[1]);
    expect(types().filter((type) => type === "acked")).toHaveLength(3);
  });

  test("fails if a button is not acknowledged, or not accepted", async () => {
    const server = await serve({ acks: ({ button_id }) => (button_id === 0 ? undefined : false) });
    const { device } = await startConnected(server.address, { ackTimeoutMs: 50 });
    expect((await failureOf(device.press("connect"))).code).toBe("ANSWER_TIMEOUT");
    const refused = await failureOf(device.press("mode"));
    expect(refused.message).toBe("the server refused: press of mode is not accepted");
    device.close();
    expect((await failureOf(device.press("mode"))).message).toContain("not connected");
  });

  test("receives a sound from its first packet to its end", async () => {
    const server = await serve({ sound });
    const { device, notices, seen } = await startConnected(server.address);
    await until("the audio stream", limitMs, () => server.device.audioStreams === 1);
    await device.press("play");
    await seen("sound-end");
    const data = notices.flatMap((notice) => (notice.type === "packet" ? [Buffer.from(notice.data)] : []));
    expect(data).toEqual(sound.map((packet) => Buffer.from(packet)));
    const end = notices.find((notice) => notice.type === "sound-end");
    expect(end).toMatchObject({
      end: "end",
      sound: { number: 1, packets: 30, audioMs: 600, worstLateMs: 0 },
    });
    expect(device).toMatchObject({ sounds: 1, endedSound: 1, packets: 30, sound: undefined });
  });

  test("ends a sound when another one starts", async () => {
    const server = await serve();
    const { notices, seen } = await startConnected(server.address);
    await until("the audio stream", limitMs, () => server.device.audio !== undefined);
    for (const data of sound.slice(0, 2)) server.device.send({ is_start: true, data });
    server.device.send({ is_end: true });
    await seen("sound-end");
    await until("two ends", limitMs, () => notices.filter(({ type }) => type === "sound-end").length === 2);
    expect(notices.flatMap((notice) => (notice.type === "sound-end" ? [notice.end] : []))).toEqual([
      "replaced",
      "end",
    ]);
  });

  test("accepts a server that marks no start and ends the stream with the sound", async () => {
    const server = await serve({ sound, marksNothing: true });
    const { device, seen } = await startConnected(server.address);
    await until("the audio stream", limitMs, () => server.device.audioStreams === 1);
    await device.press("play");
    await seen("sound-end");
    await until("the stream to be opened again", limitMs, () => server.device.audioStreams === 2);
    expect(device).toMatchObject({ connection: "connected", connections: 1, packets: 30 });
  });

  test("reconnects after a lost connection, and reports the lost sound", async () => {
    const server = await serve({ acks: () => undefined, sound, packetMs: 5 });
    const { device, types, seen } = await startConnected(server.address);
    await until("the audio stream", limitMs, () => server.device.audioStreams === 1);
    const press = failureOf(device.press("play"));
    await seen("sound-start");
    server.stop();
    expect((await press).code).toBe("CONNECTION_LOST");
    await seen("retrying");
    await serve({}, Number(server.address.split(":")[1]));
    await until("the second connection", limitMs, () => device.connections === 2 && device.sets >= 2);
    expect(types()).toContain("lost");
    expect(types()).toContain("sound-end");
    await device.press("mode");
  });

  test("does not reconnect after the server ends the connection, or two devices of one id would compete", async () => {
    const server = await serve();
    const { done, types } = await startConnected(server.address);
    await until("the status stream", limitMs, () => server.device.status !== undefined);
    server.device.status?.end();
    expect((await failureOf(done)).code).toBe("TAKEN_OVER");
    expect(types()).not.toContain("retrying");
  });

  test("distinguishes a refusal from an unreachable server", async () => {
    const server = await serve({ refuses: { code: 3, details: "no such id here" } });
    const refused = await failureOf(start(server.address).done);
    expect(refused).toMatchObject({ code: "REFUSED", message: "the server refused: no such id here" });
    const gone = await serve();
    gone.stop();
    const { done, types } = start(gone.address, { retry: { ...quickRetry, retries: 2 } });
    expect((await failureOf(done)).message).toContain(
      `cannot reach the server: ${gone.address} (connect ECONN`,
    );
    expect(types().filter((type) => type === "retrying")).toHaveLength(2);
  });

  test("gives up a server that accepts the connection and sends nothing", async () => {
    const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    cleanup(() => silent.stop(true));
    const address = `127.0.0.1:${silent.port}`;
    const { done } = start(address, { connectTimeoutMs: 100, retry: { retries: 0 } });
    expect((await failureOf(within("the failure", limitMs, done))).code).toBe("CONNECT_TIMEOUT");
  });

  test("verifies the server's certificate unless verification is disabled", async () => {
    const authority = await makeCertificate({ isAuthority: true });
    const server = await serve({ certificate: await makeCertificate({ authority }) });
    await startConnected(server.address, { tls: { ca: authority.cert } });
    await startConnected(server.address, { tls: { insecure: true } });
    const failureWith = (tls: Trust, address = server.address) =>
      failureOf(start(address, { tls, retry: { retries: 0 } }).done);
    expect((await failureWith({})).code).toBe("CERTIFICATE_UNTRUSTED");
    const names = ["elsewhere.test"];
    const other = await serve({ certificate: await makeCertificate({ names, authority }) });
    expect((await failureWith({ ca: authority.cert }, other.address)).code).toBe("CERTIFICATE_OF_OTHER_HOST");
    const past = await serve({ certificate: await makeCertificate({ fromDays: -9, toDays: -1, authority }) });
    expect((await failureWith({ ca: authority.cert }, past.address)).code).toBe("CERTIFICATE_EXPIRED");
    const plain = await serve();
    expect((await failureWith({}, plain.address)).code).toBe("NO_TLS");
  });

  test("leaves nothing open after close", async () => {
    const server = await serve({ sound, packetMs: 5 });
    const { device, done, seen } = await startConnected(server.address);
    await until("the streams", limitMs, () => server.openCalls === 3);
    await device.press("play");
    await seen("sound-start");
    device.close();
    await within("run's end", limitMs, done);
    expect(device).toMatchObject({ connection: "closed", sound: undefined });
    await until("the calls' ends", limitMs, () => server.openCalls === 0);
  });

  test("requires an id that the protocol allows", () => {
    expect(() => new Device({ address: "localhost:1", deviceId: "a/b" })).toThrow('device id "a/b"');
  });
});
