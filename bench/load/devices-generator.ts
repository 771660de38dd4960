/** The devices of `bench:devices`, as a process: connects them, lets some play, reports when their packets arrived. */
import { Device } from "../../src/client/devices/device.ts";
import { Lateness } from "../../src/base/lateness.ts";
import { until } from "../../src/testing/harness/until.ts";

export interface GeneratorSettings {
  /** HOST:PORT of the gRPC listener. */
  address: string;
  devices: number;
  playing: number;
  seconds: number;
  /** How far the server sends ahead of playback. */
  leadMs: number;
}

export interface Connected {
  phase: "connected";
  connectMs: number;
}

/** Median, 99th percentile and maximum, in milliseconds. */
export interface Spread {
  p50: number;
  p99: number;
  max: number;
}

export interface Played {
  phase: "played";
  packets: number;
  /** How much later than due packets arrived. */
  late: Spread;
  /** How much later than due a timer of this process ran: a part of the lateness of packets. */
  ownLate: Spread;
  /** From the button press to the first packet. */
  first: Spread;
  /** From Stop to the end of the sound. */
  stop: Spread;
  /** Devices that received less than their sound, or lost their connection. */
  faults: string[];
  cpuSeconds: number;
}

export type Report = Connected | Played;

const limitMs = 60_000;
/** Devices that connect at a time: all at once would compete for the processor and time out. */
const connecting = 50;
const timerMs = 20;
/** The players start spread over this time. */
const startsMs = 1_000;

class Player {
  readonly device: Device;
  lost: unknown;
  packets = 0;
  firstMs: number | undefined;
  stopMs: number | undefined;
  #pressedMs = 0;
  #stoppedMs = 0;

  constructor(deviceId: string, { address, leadMs }: GeneratorSettings, late: Lateness) {
    this.device = new Device({
      address,
      deviceId,
      leadMs,
      retry: { retries: 0 },
      onNotice: (notice) => {
        if (notice.type === "packet") this.#heard(notice.lateMs, late);
        if (notice.type === "sound-end") this.stopMs = performance.now() - this.#stoppedMs;
      },
    });
    this.device.run().catch((error: unknown) => {
      this.lost = error;
    });
  }

  async connected(): Promise<void> {
    const { device } = this;
    await until(`${device.deviceId} to connect`, limitMs, () => {
      if (this.lost !== undefined) throw this.lost;
      return device.connection === "connected" && device.sets > 0;
    });
  }

  async play(): Promise<void> {
    this.#pressedMs = performance.now();
    await this.device.press("play");
  }

  async stop(): Promise<void> {
    this.#stoppedMs = performance.now();
    await this.device.press("stop");
    await until("the end of a sound", limitMs, () => this.stopMs !== undefined);
  }

  #heard(lateMs: number, late: Lateness): void {
    this.firstMs ??= performance.now() - this.#pressedMs;
    this.packets += 1;
    late.add(lateMs);
  }
}

function spread(values: number[]): Spread {
  const sorted = values.sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

async function connectAll(settings: GeneratorSettings, late: Lateness): Promise<Player[]> {
  const players: Player[] = [];
  while (players.length < settings.devices) {
    const count = Math.min(connecting, settings.devices - players.length);
    const next = Array.from(
      { length: count },
      (_, at) => new Player(`bench-${players.length + at}`, settings, late),
    );
    await Promise.all(next.map((player) => player.connected()));
    players.push(...next);
  }
  return players;
}

/** Measures the lateness of a timer until it is stopped. */
function watchOwnLateness() {
  const late = new Lateness();
  let dueMs = performance.now() + timerMs;
  const timer = setInterval(() => {
    const now = performance.now();
    late.add(now - dueMs);
    dueMs = Math.max(now, dueMs) + timerMs;
  }, timerMs);
  return {
    stop: () => {
      clearInterval(timer);
      return spreadOf(late);
    },
  };
}

function spreadOf(late: Lateness): Spread {
  return { p50: late.percentileMs(0.5), p99: late.percentileMs(0.99), max: late.maxMs };
}

async function playAll(players: Player[], settings: GeneratorSettings, late: Lateness): Promise<Played> {
  const cpuBefore = process.cpuUsage();
  const own = watchOwnLateness();
  await Promise.all(
    players.map(async (player, index) => {
      await Bun.sleep((index * startsMs) / players.length);
      await player.play();
      await Bun.sleep(settings.seconds * 1000);
      await player.stop();
    }),
  );
  const { user, system } = process.cpuUsage(cpuBefore);
  const minPackets = Math.floor((settings.seconds * 1000) / 20);
  return {
    phase: "played",
    packets: late.count,
    late: spreadOf(late),
    ownLate: own.stop(),
    first: spread(players.map((player) => player.firstMs ?? Number.POSITIVE_INFINITY)),
    stop: spread(players.map((player) => player.stopMs!)),
    faults: players.flatMap(({ device, packets, lost }) => {
      if (lost !== undefined) return [`${device.deviceId}: ${String(lost)}`];
      return packets < minPackets ? [`${device.deviceId}: ${packets} packets instead of ${minPackets}`] : [];
    }),
    cpuSeconds: (user + system) / 1e6,
  };
}

/** Talks to the parent process: its first message starts the playing, its second message ends the run. */
async function main(settings: GeneratorSettings): Promise<void> {
  const late = new Lateness();
  const began = performance.now();
  const players = await connectAll(settings, late);
  const play = new Promise<void>((resolve) => process.once("message", () => resolve()));
  report({ phase: "connected", connectMs: performance.now() - began });
  await play;
  report(await playAll(players.slice(0, settings.playing), settings, late));
  for (const { device } of players) device.close();
  process.disconnect?.();
}

function report(message: Report): void {
  process.send?.(message);
}

if (import.meta.main) await main(JSON.parse(process.argv[2]!) as GeneratorSettings);
