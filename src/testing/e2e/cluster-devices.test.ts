/** Devices of one server, operated over the API of another one. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ledsOf } from "../../engine/devices/device-state.ts";
import { melody, wavFile } from "../fixtures/wav.ts";
import { device, refusal } from "../harness/http/devices.ts";
import { GrpcDevice } from "../harness/peers/grpc-device.ts";
import { hasNatsServer, NatsServer } from "../harness/servers/nats-server.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

const limitMs = 20_000;

async function startNode(nats: NatsServer): Promise<TestServer> {
  const flags = { "nats-urls": nats.url, "grpc-port": 0 };
  const server = await TestServer.start({ flags, env: { WAVECACHE_FLASH: "no" } });
  await server.untilLogged("connected to NATS");
  return server;
}

const post = { method: "POST" };

describe.skipIf(!hasNatsServer)("a device of another server", () => {
  test("is shown, changes its mode, plays, and has its buttons pressed", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    const library = join(owner.folder, "library");
    mkdirSync(library, { recursive: true });
    await Bun.write(join(library, "mode_2.wav"), wavFile(melody(16_000 * 5, 1), 1));
    expect(await refusal(other.httpBase, "/board")).toBe("404 DEVICE_UNKNOWN");
    using board = new GrpcDevice(owner.grpcPort, "board");
    await board.untilConnected();
    await until("the device at another node", limitMs, async () => {
      return (await fetch(`${other.httpBase}/api/devices/board`)).status === 200;
    });
    board.battery = 0.5;
    expect(await device(other.httpBase, "board?refresh=1")).toMatchObject({ connected: true, battery: 0.5 });
    expect(await device(other.httpBase, "board/mode?mode=2", "POST")).toMatchObject({ mode: 2 });
    await board.untilShown(ledsOf({ mode: 2, playing: undefined }));
    expect(await device(other.httpBase, "board/play", "POST")).toMatchObject({ playing: 2 });
    await board.until("the sound", () => board.packets.length > 10);
    expect(await device(other.httpBase, "board/stop", "POST")).toMatchObject({ mode: 0, playing: null });
    expect(await device(other.httpBase, "board/buttons/mode", "POST")).toMatchObject({ mode: 1 });
    // An error of the other server arrives as it is.
    expect(await refusal(other.httpBase, "/board/play", post)).toBe("404 SOUND_UNKNOWN");
  });

  test("is unknown once it has left, and out of reach without NATS", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using local = new GrpcDevice(other.grpcPort, "local");
    await local.untilConnected();
    {
      using board = new GrpcDevice(owner.grpcPort, "board");
      await board.untilConnected();
      await until("the device at another node", limitMs, async () => {
        return (await fetch(`${other.httpBase}/api/devices/board`)).status === 200;
      });
    }
    await until("the end of the device", limitMs, async () => {
      return (await fetch(`${other.httpBase}/api/devices/board/stop`, post)).status === 404;
    });
    await nats.kill9();
    await other.untilLogged("the connection to NATS is lost");
    expect(await refusal(other.httpBase, "/board/stop", post)).toBe("503 NODE_UNREACHABLE");
    expect(await device(other.httpBase, "local/mode?mode=3", "POST")).toMatchObject({ mode: 3 });
    await local.untilShown(ledsOf({ mode: 3, playing: undefined }));
  });
});
