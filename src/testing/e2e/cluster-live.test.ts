/** Two servers that share what is live over a real NATS server. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { decodeLiveAudio } from "../../wire/live.ts";
import { OggOpusParser } from "../../codec/ogg/ogg-opus.ts";
import { countingPayload, IngestDevice, isCounting, pcmFormat } from "../harness/peers/ingest-device.ts";
import { hasNatsServer, NatsServer } from "../harness/servers/nats-server.ts";
import { TestServer } from "../harness/server.ts";
import { testLimitMs, until } from "../harness/until.ts";

setDefaultTimeout(testLimitMs);

const limitMs = 20_000;

async function startNode(nats: NatsServer): Promise<TestServer> {
  const server = await TestServer.start({ flags: { "nats-urls": nats.url } });
  await server.untilLogged("connected to NATS");
  return server;
}

/** A device that sends samples that count up, until it is closed. */
class CountingDevice implements Disposable {
  readonly #timer: Timer;

  static async open(server: TestServer, name: string): Promise<CountingDevice> {
    return new CountingDevice(await IngestDevice.open(server.httpBase, pcmFormat, name));
  }

  private constructor(readonly device: IngestDevice) {
    let sent = 0;
    this.#timer = setInterval(() => {
      device.send(countingPayload(sent, pcmFormat.frameSamples));
      sent += pcmFormat.frameSamples;
    }, 20);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.device[Symbol.dispose]();
  }
}

/** Listens over the live WebSocket. */
class Listener implements Disposable {
  readonly pieces: Int16Array[] = [];
  close: { code: number; reason: string } | undefined;
  readonly #socket: WebSocket;

  constructor(server: TestServer, name: string) {
    this.#socket = new WebSocket(`${server.httpBase.replace("http", "ws")}/live/${name}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => {
      const { pcm } = decodeLiveAudio(new Uint8Array(data as ArrayBuffer))!;
      this.pieces.push(new Int16Array(pcm.slice().buffer));
    };
    this.#socket.onclose = ({ code, reason }) => void (this.close = { code, reason });
  }

  get samples(): Int16Array {
    const all = new Int16Array(this.pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }

  async untilHeard(samples: number): Promise<void> {
    await until(
      `${samples} samples`,
      limitMs,
      () => this.samples.length >= samples,
      () => `${this.samples.length}, ${JSON.stringify(this.close)}`,
    );
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

async function untilFound(server: TestServer, name: string): Promise<void> {
  const isFound = async () => (await fetch(`${server.httpBase}/live/${name}.wav`, { method: "HEAD" })).ok;
  await until(`${name} at another node`, limitMs, isFound);
}

interface LevelsEvent {
  levels: { device: string; rms: number }[];
}

async function readLevels(response: Response, onLevel: (device: string) => void): Promise<void> {
  let text = "";
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const frames = text.split("\n\n");
      text = frames.pop()!;
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        for (const { device, rms } of (JSON.parse(data) as LevelsEvent).levels)
          if (rms < 0 && rms > -120) onLevel(device);
      }
    }
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

async function metric(server: TestServer, name: string): Promise<number> {
  const text = await (await fetch(`${server.httpBase}/metrics`)).text();
  return Number(new RegExp(`^${RegExp.escape(name)} (\\d+)$`, "m").exec(text)![1]);
}

async function sentMessages(server: TestServer): Promise<number> {
  return await metric(server, 'wavecache_nats_messages_total{result="sent"}');
}

describe.skipIf(!hasNatsServer)("two servers with one NATS", () => {
  test("hear each other's devices sample for sample, over every protocol", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using _device = await CountingDevice.open(owner, "küche");
    await untilFound(other, "küche");
    using listener = new Listener(other, encodeURIComponent("küche"));
    using second = new Listener(other, "7");
    await listener.untilHeard(8000);
    await second.untilHeard(1600);
    const samples = listener.samples;
    expect(isCounting(samples, samples[0])).toBe(true);
    // The owner sends once for all listeners of the other node.
    expect(await metric(other, "wavecache_live_listeners")).toBe(2);
    expect(await metric(other, "wavecache_remote_recordings")).toBe(1);
    expect(await metric(owner, "wavecache_shared_recordings")).toBe(1);

    const wav = await fetch(`${other.httpBase}/live/7.wav`);
    const wavReader = wav.body!.getReader();
    const wavBytes: number[] = [];
    while (wavBytes.length < 44 + 3200) wavBytes.push(...(await wavReader.read()).value!);
    await wavReader.cancel();
    const heard = new Int16Array(new Uint8Array(wavBytes.slice(44, 44 + 3200)).buffer);
    expect(isCounting(heard, heard[0])).toBe(true);

    const opus = await fetch(`${other.httpBase}/live/7.opus`);
    const parser = new OggOpusParser();
    let packets = 0;
    for await (const chunk of opus.body!) {
      for (const page of parser.push(new Uint8Array(chunk))) packets += page.packets.length;
      if (packets >= 50) break;
    }
    expect(packets).toBeGreaterThanOrEqual(50);
  });

  test("show each other's levels, also of devices that come later", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using _first = await CountingDevice.open(owner, "hall");
    using _own = await CountingDevice.open(other, "own");
    const leaver = new AbortController();
    const response = await fetch(`${other.httpBase}/api/live/levels`, { signal: leaver.signal });
    const heard = new Map<string, number>();
    const reading = readLevels(response, (device) => heard.set(device, (heard.get(device) ?? 0) + 1));
    await until("levels of both", limitMs, () => heard.has("hall") && heard.has("own"));
    using _second = await CountingDevice.open(owner, "attic");
    await until("levels of the second", limitMs, () => (heard.get("attic") ?? 0) > 3);
    const before = heard.get("hall")!;
    await until("more levels of the first", limitMs, () => heard.get("hall")! > before + 3);
    leaver.abort();
    await reading;
    // Nobody wants them any more: the lease ends.
    await until("the end of the levels", limitMs, async () => {
      const before = await sentMessages(owner);
      await Bun.sleep(300);
      return (await sentMessages(owner)) === before;
    });
  });

  test("nothing is published while nobody listens elsewhere, and the end of a recording arrives", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    const device = await CountingDevice.open(owner, "hall");
    await untilFound(other, "hall");
    {
      using listener = new Listener(other, "hall");
      await listener.untilHeard(1600);
    }
    await until("the end of the sharing", limitMs, async () => {
      return (await metric(owner, "wavecache_shared_recordings")) === 0;
    });
    expect(await metric(other, "wavecache_remote_recordings")).toBe(0);
    using listener = new Listener(other, "hall");
    await listener.untilHeard(1600);
    device[Symbol.dispose]();
    await until("the end of the recording", limitMs, () => listener.close !== undefined);
    expect(listener.close).toEqual({ code: 1000, reason: "recording ended" });
    expect((await fetch(`${other.httpBase}/live/hall.wav`)).status).toBe(404);
  });

  test("a node that is killed or frozen ends its remote listeners", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using _device = await CountingDevice.open(owner, "hall");
    await untilFound(other, "hall");
    using listener = new Listener(other, "hall");
    await listener.untilHeard(1600);
    process.kill(owner.pid, "SIGSTOP");
    await until("the end", limitMs, () => listener.close !== undefined);
    expect(listener.close).toEqual({ code: 1013, reason: "another node does not answer" });
    process.kill(owner.pid, "SIGCONT");
    await untilFound(other, "hall");
    using again = new Listener(other, "hall");
    await again.untilHeard(1600);
    await owner.kill9();
    await until("the end", limitMs, () => again.close !== undefined);
    expect(again.close!.code).toBe(1000);
  });

  test("without NATS remote listening fails clearly, and everything local works", async () => {
    await using nats = await NatsServer.start();
    await using owner = await startNode(nats);
    await using other = await startNode(nats);
    using _device = await CountingDevice.open(owner, "hall");
    await untilFound(other, "hall");
    using remote = new Listener(other, "hall");
    using local = new Listener(owner, "hall");
    await remote.untilHeard(1600);
    await nats.kill9();
    await until("the end", limitMs, () => remote.close !== undefined);
    expect(remote.close).toEqual({ code: 1013, reason: "another node does not answer" });
    const refused = await fetch(`${other.httpBase}/live/hall.wav`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: "NODE_UNREACHABLE" } });
    const heard = local.samples.length;
    await local.untilHeard(heard + 8000);
    expect(local.close).toBeUndefined();
    await nats.restart();
    await untilFound(other, "hall");
    using again = new Listener(other, "hall");
    await again.untilHeard(1600);
  });
});
