/** Devices of one server, operated over the API of another one. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ledsOf } from "../../engine/devices/device-state.ts";
import { melody, wavFile } from "../fixtures/wav.ts";
import { device, listDevices, refusal } from "../harness/http/devices.ts";
import { countingPayload, IngestDevice, pcmFormat } from "../harness/peers/ingest-device.ts";
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

/** What a client of `/api/live/devices` knows. */
class Follower implements Disposable {
  readonly modes = new Map<string, number>();
  readonly #abort = new AbortController();
  incomplete: boolean | undefined;

  constructor(httpBase: string) {
    void this.#follow(httpBase);
  }

  async #follow(httpBase: string): Promise<void> {
    const { signal } = this.#abort;
    const response = await fetch(`${httpBase}/api/live/devices`, { signal });
    try {
      let text = "";
      for await (const chunk of response.body!) {
        const lines = (text + Buffer.from(chunk).toString()).split("\n");
        text = lines.pop()!;
        for (const line of lines) if (line.startsWith("data: ")) this.#take(line.slice(6));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #take(data: string): void {
    const change = JSON.parse(data) as {
      devices: { deviceId: string; mode: number }[];
      gone: string[];
      incomplete: boolean;
    };
    for (const { deviceId, mode } of change.devices) this.modes.set(deviceId, mode);
    for (const id of change.gone) this.modes.delete(id);
    this.incomplete = change.incomplete;
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}

describe.skipIf(!hasNatsServer)("the devices of all servers", () => {
  test("are listed and followed at each, until their server or NATS is gone", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using board = new GrpcDevice(owner.grpcPort, "board");
    using local = new GrpcDevice(other.grpcPort, "local");
    await Promise.all([board.untilConnected(), local.untilConnected()]);
    using follower = new Follower(other.httpBase);
    await until("both devices", limitMs, () => follower.modes.size === 2 && follower.incomplete === false);
    const there = await listDevices(other.httpBase);
    expect(there.incomplete).toBe(false);
    expect(there.devices.map(({ deviceId, connected }) => [deviceId, connected])).toEqual([
      ["board", true],
      ["local", true],
    ]);
    const [ofOwner, ofOther] = there.devices.map(({ node }) => node);
    expect(ofOwner).not.toBe(ofOther);
    const here = await listDevices(owner.httpBase);
    expect(here.devices.map(({ node }) => node)).toEqual([ofOwner!, ofOther!]);
    expect(await device(other.httpBase, "board")).toMatchObject({ node: ofOwner });
    await device(owner.httpBase, "board/mode?mode=4", "POST");
    await until("the mode", limitMs, () => follower.modes.get("board") === 4);
    // A page of one device is followed by those of the other server.
    expect((await listDevices(other.httpBase, "?limit=1")).next).toBe("board");
    expect((await listDevices(other.httpBase, "?after=board")).devices).toMatchObject([
      { deviceId: "local" },
    ]);

    // Their audio may be recorded at another server than the one with their buttons.
    using recorder = await IngestDevice.open(other.httpBase, pcmFormat, "board");
    recorder.send(countingPayload(0, 320));
    await until("the recording", limitMs, async () => {
      return (await listDevices(owner.httpBase)).devices.find(({ deviceId }) => deviceId === "board")
        ?.recording;
    });

    await owner.kill9();
    await until("the end of the device", limitMs, () => !follower.modes.has("board"));
    expect((await listDevices(other.httpBase)).devices).toMatchObject([{ deviceId: "local" }]);
    await nats.kill9();
    await until("the note", limitMs, () => follower.incomplete === true);
    const alone = await listDevices(other.httpBase);
    expect(alone).toMatchObject({ incomplete: true, devices: [{ deviceId: "local", connected: true }] });
  });

  test("go at once with a server that ends", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using board = new GrpcDevice(owner.grpcPort, "board");
    await board.untilConnected();
    await until("the device", limitMs, async () => (await listDevices(other.httpBase)).devices.length === 1);
    await owner.stop();
    await until("its end", 2_000, async () => (await listDevices(other.httpBase)).devices.length === 0);
    expect((await listDevices(other.httpBase)).incomplete).toBe(false);
  });
});
