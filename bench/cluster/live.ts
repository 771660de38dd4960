/** One device, and listeners at several servers that share one NATS: how late the audio is at each of them. */
import { liveHeaderBytes } from "../../src/wire/live.ts";
import { IngestDevice, pcmFormat } from "../../src/testing/harness/peers/ingest-device.ts";
import { NatsServer } from "../../src/testing/harness/servers/nats-server.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { until } from "../../src/testing/harness/until.ts";
import { Latency, type Percentiles } from "../load/latency.ts";

export interface LiveSettings {
  nodes: number;
  listeners: number;
  seconds: number;
}

export interface LiveFigures {
  /** From the device to the listeners of its own server, and to those of the others. */
  own: Percentiles;
  others: Percentiles;
  /** Processor seconds of the device's server, of all servers, and of NATS, for each second. */
  processorShare: { owner: number; servers: number; nats: number };
}

const frameMs = 100;
const format = { ...pcmFormat, frameSamples: (pcmFormat.sampleRate * frameMs) / 1000 };
const device = "kitchen";
const limitMs = 60_000;
/** Indices of frames in a sample. */
const maxFrames = 0x8000;

export async function measureLive({ nodes, listeners, seconds }: LiveSettings): Promise<LiveFigures> {
  await using nats = await NatsServer.start();
  await using servers = new AsyncDisposableStack();
  const all: TestServer[] = [];
  for (let node = 0; node < nodes; node++) {
    const flags = { "nats-urls": nats.url, "max-connections": listeners + 100 };
    const server = await TestServer.start({ flags });
    servers.defer(() => server.dispose());
    await server.untilLogged("connected to NATS");
    all.push(server);
  }
  const sender = await Sender.open(all[0]!);
  servers.defer(() => sender.close());
  await until("the device at every server", limitMs, async () => {
    const answers = await Promise.all(
      all.map(({ httpBase }) => fetch(`${httpBase}/live/${device}.wav`, { method: "HEAD" })),
    );
    return answers.every(({ ok }) => ok);
  });
  const groups = all.map((server, node) => {
    const count = Math.floor(listeners / nodes) + (node < listeners % nodes ? 1 : 0);
    return Array.from({ length: count }, () => new Listener(server, sender));
  });
  const everybody = groups.flat();
  await until("audio at every listener", limitMs, () => everybody.every(({ heard }) => heard > 0));
  return await measure(seconds, groups, all, nats, everybody);
}

async function measure(
  seconds: number,
  groups: readonly Listener[][],
  servers: readonly TestServer[],
  nats: NatsServer,
  everybody: readonly Listener[],
): Promise<LiveFigures> {
  const [own, others] = [new Latency(), new Latency()];
  groups.forEach((group, node) => {
    for (const listener of group) listener.record(node === 0 ? own : others);
  });
  const pids = [...servers.map(({ pid }) => pid), nats.pid];
  const before = await Promise.all(pids.map(processorSeconds));
  await Bun.sleep(seconds * 1000);
  const after = await Promise.all(pids.map(processorSeconds));
  for (const listener of everybody) listener.close();
  const shares = after.map((value, at) => (value - before[at]!) / seconds);
  const serverShares = shares.slice(0, -1);
  return {
    own: own.percentiles(),
    others: others.percentiles(),
    processorShare: {
      owner: shares[0]!,
      servers: serverShares.reduce((sum, share) => sum + share, 0),
      nats: shares.at(-1)!,
    },
  };
}

/** A device that sends a frame when it is due, with the frame's number in its first sample. */
class Sender {
  readonly sentMs: number[] = [];
  readonly #device: IngestDevice;
  readonly #timer: Timer;

  static async open(server: TestServer): Promise<Sender> {
    return new Sender(await IngestDevice.open(server.httpBase, format, device));
  }

  private constructor(peer: IngestDevice) {
    this.#device = peer;
    const startedMs = performance.now();
    this.#timer = setInterval(() => {
      if (performance.now() >= startedMs + this.sentMs.length * frameMs) this.#send();
    }, 5);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#device.close();
  }

  #send(): void {
    const frame = Buffer.alloc(2 * format.frameSamples);
    frame.writeInt16LE(this.sentMs.length % maxFrames, 0);
    this.sentMs.push(performance.now());
    this.#device.send(frame);
  }
}

class Listener {
  heard = 0;
  #latency: Latency | undefined;
  readonly #socket: WebSocket;

  constructor(server: TestServer, sender: Sender) {
    this.#socket = new WebSocket(`${server.httpBase.replace("http", "ws")}/live/${device}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => {
      this.heard += 1;
      const frame = new DataView(data as ArrayBuffer).getInt16(liveHeaderBytes, true);
      this.#latency?.record(performance.now() - sender.sentMs[frame]!);
    };
  }

  record(latency: Latency): void {
    this.#latency = latency;
  }

  close(): void {
    this.#latency = undefined;
    this.#socket.close();
  }
}

/** User and system time, as Linux accounts for it. */
async function processorSeconds(pid: number): Promise<number> {
  const stat = await Bun.file(`/proc/${pid}/stat`).text();
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticksPerSecond = 100;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
