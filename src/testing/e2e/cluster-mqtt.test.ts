/** Two nodes with one catalog in PostgreSQL, NATS between them, and one MQTT broker. */
import { describe, expect, test } from "bun:test";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { BrokerPeer, hasMqttBroker, MqttBroker } from "../harness/servers/mqtt-broker.ts";
import { hasNatsServer, NatsServer } from "../harness/servers/nats-server.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const limitMs = 15_000;
const canRun = hasMqttBroker && hasNatsServer && postgresPrograms !== undefined;

async function put({ httpBase }: TestServer, id: string): Promise<void> {
  expect((await fetch(`${httpBase}/api/streams/${id}/audio`, { method: "PUT", body: id })).status).toBe(201);
}

describe.skipIf(!canRun)("two nodes with one MQTT broker", () => {
  test("publish each event once, and each device and recording by the node that has it", async () => {
    using folder = temporaryFolder();
    await using broker = await MqttBroker.start(folder.path);
    await using nats = await NatsServer.start();
    await using peer = await BrokerPeer.open(broker);
    const flags = {
      catalog: postgresServer().createSchema(),
      "nats-urls": nats.url,
      "mqtt-url": broker.url,
      "grpc-port": 0,
    };
    const env = { WAVECACHE_FLASH: "no" };
    await using a = await TestServer.start({ flags, env });
    await peer.until("wavecache/status", (payload) => payload === "online");
    using board = new GrpcDevice(a.grpcPort, "board");
    await board.untilConnected();
    await peer.until("wavecache/devices/board/availability", (payload) => payload === "online");
    using kitchen = await IngestDevice.open(a.httpBase, pcmFormat, "kitchen");
    kitchen.send(countingPayload(0, 320));
    await peer.until("wavecache/recordings/kitchen/recording", (payload) => payload === "ON");

    // The other one starts, which knows of neither by itself.
    await using b = await TestServer.start({ flags, env });
    await b.untilLogged("connected to the MQTT broker");
    await put(a, "x1");
    await put(b, "x2");
    const events = () => peer.messages.filter(({ topic }) => topic.includes("/stream.finished/"));
    await until("both events", limitMs, () => events().length >= 2);
    expect(events()).toHaveLength(2);
    expect(peer.of("wavecache/devices/board/availability").at(-1)).toBe("online");
    expect(peer.of("wavecache/recordings/kitchen/recording").at(-1)).toBe("ON");

    await a.kill9();
    postgresServer().expireLeases(flags.catalog);
    const statuses = () => peer.of("wavecache/status");
    await until("the will of the one", limitMs, () => statuses().includes("offline"));
    await until("the other to say that it is there", limitMs, () => statuses().at(-1) === "online");
    const lost = () => peer.of("wavecache/devices/board/availability").at(-1) === "offline";
    await until("the device to be away", limitMs, lost);
    await put(b, "x3");
    await until("its event", limitMs, () => events().length >= 3);
  }, 45_000);
});
