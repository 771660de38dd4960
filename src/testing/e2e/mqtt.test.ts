/** The real server and a real MQTT broker. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ledsOf } from "../../engine/devices/device-state.ts";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { AudioCachePeer, freshId } from "../harness/peers/audio-cache.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { removeStream } from "../harness/http/streams.ts";
import { scrape } from "../harness/http/exposition.ts";
import { device } from "../harness/http/devices.ts";
import { type CertificateOptions, makeCertificate, writeCertificate } from "../harness/certificates.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { BrokerPeer, hasMqttBroker, MqttBroker } from "../harness/servers/mqtt-broker.ts";

useServers();

const env = { WAVECACHE_FLASH: "no" };
let folder: ReturnType<typeof temporaryFolder>;

beforeAll(() => {
  folder = temporaryFolder();
});

afterAll(() => {
  folder[Symbol.dispose]();
});

async function startServer(broker: MqttBroker, flags: Record<string, string> = {}): Promise<TestServer> {
  return await TestServer.start({ flags: { "grpc-port": 0, "mqtt-url": broker.url, ...flags }, env });
}

/** Starts, finishes and removes a stream; returns its subject. */
async function useStream(server: TestServer): Promise<string> {
  const id = freshId("mqtt");
  using peer = await AudioCachePeer.open(server.url);
  await peer.upload(id, new Uint8Array(100));
  await removeStream(server.httpBase, id);
  return `streams/${id}`;
}

const streamTypes = ["stream.started", "stream.finished", "stream.removed"];

async function untilDelivered(peer: BrokerPeer, subject: string): Promise<void> {
  for (const type of streamTypes) await peer.until(`wavecache/events/${type}/${subject}`, () => true);
  const topics = peer.messages.map(({ topic }) => topic).filter((topic) => topic.endsWith(`/${subject}`));
  // Repetitions are allowed, another order is not.
  expect([...new Set(topics)]).toEqual(streamTypes.map((type) => `wavecache/events/${type}/${subject}`));
}

function stateOf(payload: string): Record<string, unknown> {
  return JSON.parse(payload) as Record<string, unknown>;
}

describe.skipIf(!hasMqttBroker)("over MQTT", () => {
  test("a device is discovered, shows its state, and takes commands", async () => {
    await using broker = await MqttBroker.start(folder.path);
    await using peer = await BrokerPeer.open(broker);
    await using server = await startServer(broker);
    await peer.until("wavecache/status", (payload) => payload === "online");
    using lamp = new GrpcDevice(server.grpcPort, "lamp.1");
    await lamp.untilConnected();
    const topic = "wavecache/devices/lamp.1";
    await peer.until(`${topic}/availability`, (payload) => payload === "online");
    const config = peer.messages.find((message) => message.topic.startsWith("homeassistant/device/"))!;
    expect(config.topic).toMatch(
      /^homeassistant\/device\/wavecache_wavecache_device_lamp_1_[0-9a-f]+\/config$/,
    );
    const { components } = JSON.parse(config.payload) as {
      components: Record<string, { command_topic: string }>;
    };
    expect(Object.keys(components)).toEqual(
      expect.arrayContaining(["mode", "battery", "led_1", "led_5", "button_play", "play"]),
    );

    await peer.publish(components["mode"]!.command_topic, "3");
    await lamp.untilShown(ledsOf({ mode: 3, playing: undefined }));
    const shown = await peer.until(`${topic}/state`, (payload) => stateOf(payload)["mode"] === 3);
    expect(stateOf(shown)["leds"]).toEqual([
      "#00000000",
      "#00000000",
      "#00000000",
      "#FF00FFFF",
      "#00000000",
      "#00000000",
    ]);
    lamp.battery = 50;
    await device(server.httpBase, "lamp.1?refresh=1");
    await peer.until(`${topic}/state`, (payload) => stateOf(payload)["battery"] === 50);

    await lamp.pressed("mode");
    await peer.until(`${topic}/button/mode`, (payload) => payload === '{"event_type":"press"}');
    await peer.until("wavecache/events/device.button/devices/lamp.1", (payload) =>
      payload.includes('"data":{"button":"mode","event":"press","remote":false,"deviceId":"lamp.1"}'),
    );
    await peer.publish(`${topic}/action`, "stop");
    await peer.until(`${topic}/state`, (payload) => stateOf(payload)["mode"] === 0);
    await peer.publish(`${topic}/mode/set`, "6");
    await server.untilLogged("an unknown command came by MQTT");
    await peer.publish("wavecache/devices/none/mode/set", "1");
    await server.untilLogged("a command by MQTT failed");

    lamp.close();
    await peer.until(`${topic}/availability`, (payload) => payload === "offline");
    await using late = await BrokerPeer.open(broker);
    await late.until(`${topic}/state`, (payload) => stateOf(payload)["connected"] === false);
    await late.until(config.topic, (payload) => payload === config.payload);
    expect(late.messages.some((message) => message.topic.includes("/button/"))).toBe(false);
    const metrics = (await scrape(server.httpBase))!;
    expect(metrics.sum("wavecache_mqtt_connected", {})).toBe(1);
    expect(metrics.sum("wavecache_mqtt_deliveries_total", { result: "delivered" })).toBeGreaterThan(2);
    await server.stop();
    await peer.until("wavecache/status", (payload) => payload === "offline");
  });

  test("events wait for a broker that is down, and it gets all states again", async () => {
    await using broker = await MqttBroker.start(folder.path);
    await using server = await startServer(broker);
    using _lamp = new GrpcDevice(server.grpcPort, "lamp");
    await server.untilLogged("connected to the MQTT broker");
    await broker.kill9();
    await server.untilLogged("the connection to the MQTT broker is lost");
    const subjects = [await useStream(server), await useStream(server)];
    await broker.restart();
    await using peer = await BrokerPeer.open(broker);
    for (const subject of subjects) await untilDelivered(peer, subject);
    await peer.until("wavecache/status", (payload) => payload === "online");
    await peer.until("wavecache/devices/lamp/state", (payload) => stateOf(payload)["connected"] === true);
  });

  test("a crash of the server shows, and loses no event", async () => {
    await using broker = await MqttBroker.start(folder.path);
    await using peer = await BrokerPeer.open(broker);
    await using server = await startServer(broker);
    await peer.until("wavecache/status", (payload) => payload === "online");
    await broker.kill9();
    const subject = await useStream(server);
    await server.kill9();
    await broker.restart();
    await server.restart();
    await untilDelivered(peer, subject);
    await peer.until("wavecache/status", (payload) => payload === "online");
    await server.kill9();
    await peer.until("wavecache/status", (payload) => payload === "offline");
  });

  test("a command that the broker retains is carried out once", async () => {
    await using broker = await MqttBroker.start(folder.path);
    await using peer = await BrokerPeer.open(broker);
    await using server = await startServer(broker, { "mqtt-discovery": "off", "mqtt-prefix": "home/cache" });
    using lamp = new GrpcDevice(server.grpcPort, "lamp");
    await lamp.untilConnected();
    await peer.until("home/cache/status", (payload) => payload === "online");
    await peer.publish("home/cache/devices/lamp/mode/set", "4", true);
    await peer.until("home/cache/devices/lamp/state", (payload) => stateOf(payload)["mode"] === 4);
    await device(server.httpBase, "lamp/mode?mode=2", "POST");
    await server.stop();
    await server.restart();
    await server.untilLogged("a retained command by MQTT was ignored");
    expect(await device(server.httpBase, "lamp")).toMatchObject({ mode: 2 });
    expect(peer.messages.filter(({ topic }) => topic.startsWith("homeassistant/"))).toEqual([]);
  });

  test("a device that records has a level, and is known not to record after a crash", async () => {
    await using broker = await MqttBroker.start(folder.path);
    await using peer = await BrokerPeer.open(broker);
    await using server = await startServer(broker);
    using kitchen = await IngestDevice.open(server.httpBase, pcmFormat, "kitchen");
    const sending = setInterval(() => kitchen.send(countingPayload(0, 320)), 20);
    await peer.until("wavecache/recordings/kitchen/recording", (payload) => payload === "ON");
    const level = await peer.until("wavecache/recordings/kitchen/level", () => true);
    expect(stateOf(level)).toEqual({ rms: expect.any(Number), peak: expect.any(Number), clipped: 0 });
    clearInterval(sending);
    await server.kill9();
    await server.restart();
    await peer.until("wavecache/recordings/kitchen/recording", (payload) => payload === "OFF");
  });

  test("over TLS the broker's certificate has to be of a trusted authority, and of its name", async () => {
    const authority = await makeCertificate({ isAuthority: true });
    const trusted = join(folder.path, "authority.pem");
    writeFileSync(trusted, authority.cert);
    const brokerWith = async (name: string, options: CertificateOptions) => {
      const at = join(folder.path, name);
      const { cert, key } = await writeCertificate(at, await makeCertificate(options));
      return await MqttBroker.start(at, ["allow_anonymous true", `certfile ${cert}`, `keyfile ${key}`]);
    };
    await using good = await brokerWith("good", { authority });
    await using unknown = await brokerWith("unknown", {});
    await using other = await brokerWith("other", { authority, names: ["other.example"] });
    expect(good.url).toStartWith("mqtts://");
    const flags = { "mqtt-url": good.url, "grpc-port": 0 };
    await using server = await TestServer.start({ flags, env: { ...env, NODE_EXTRA_CA_CERTS: trusted } });
    await server.untilLogged("connected to the MQTT broker");
    await using peer = await BrokerPeer.open(good, { ca: authority.cert });
    await peer.until("wavecache/status", (payload) => payload === "online");
    await untilDelivered(peer, await useStream(server));
    for (const [broker, reason] of [
      [unknown, "unable to verify"],
      [other, "does not match certificate"],
    ] as const) {
      await server.restart({ flags: { ...flags, "mqtt-url": broker.url } });
      await server.untilLogged("the MQTT broker cannot be reached");
      expect(server.log.slice(server.log.lastIndexOf("cannot be reached"))).toContain(reason);
    }
  });

  test("the server logs in with the credentials of a file, and says when it cannot", async () => {
    const passwords = join(folder.path, "passwords");
    const made = Bun.spawnSync(["mosquitto_passwd", "-b", "-c", passwords, "cache", "a:b c"]);
    expect(made.exitCode).toBe(0);
    await using broker = await MqttBroker.start(folder.path, [
      "allow_anonymous false",
      `password_file ${passwords}`,
    ]);
    const credentials = join(folder.path, "credentials");
    writeFileSync(credentials, "cache:wrong\n");
    chmodSync(credentials, 0o600);
    await using server = await startServer(broker, { "mqtt-credentials-file": credentials });
    await server.untilLogged("the MQTT broker cannot be reached");
    writeFileSync(credentials, "cache:a:b c\n");
    await server.restart();
    await server.untilLogged("connected to the MQTT broker");
    expect(server.log).not.toContain("a:b c");
    await using peer = await BrokerPeer.open(broker, { username: "cache", password: "a:b c" });
    await peer.until("wavecache/status", (payload) => payload === "online");
  });
});

test("credentials that cannot be used refuse the start", async () => {
  const empty = join(folder.path, "empty");
  writeFileSync(empty, "\n");
  const dirs = ["cache", "recordings", "library"].flatMap((dir) => [`--${dir}-dir`, join(folder.path, dir)]);
  const ports = [
    "--port",
    "0",
    ...["ingest", "udp", "tls", "grpc"].flatMap((port) => [`--${port}-port`, "off"]),
  ];
  const broker = ["--mqtt-url", "mqtt://127.0.0.1:1", "--mqtt-credentials-file", empty];
  const { code, stderr } = await runServerToExit([...dirs, ...ports, ...broker]);
  expect(code).toBe(1);
  expect(stderr).toContain("does not begin with USER:PASSWORD");
});
