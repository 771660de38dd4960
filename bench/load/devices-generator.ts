/** The devices of `bench:devices`, in a process of their own: connects them, lets some play, and says what came when. */
import { Device } from "../../src/client/devices/device.ts";
import { Lateness } from "../../src/base/lateness.ts";
import { until } from "../../src/testing/harness/until.ts";

export interface GeneratorSettings {
  /** HOST:PORT of the gRPC door. */
  address: string;
  devices: number;
  playing: number;
  seconds: number;
  /** What the server is ahead of what is heard. */
  leadMs: number;
}

export interface Connected {
  phase: "connected";
  connectMs: number;
}

/** Milliseconds that half, 99 of 100 and all took at most. */
export interface Spread {
  p50: number;
  p99: number;
  most: number;
}

export interface Played {
  phase: "played";
  packets: number;
  /** How much later than it was due a packet came. */
  late: Spread;
  /** How much later than due a timer of the devices' own process ran: it is part of what packets are late. */
  ownLate: Spread;
  /** From the button to the first packet. */
  first: Spread;
  /** From Stop to the end of the sound. */
  stop: Spread;
  /** Devices that got less than their sound, or lost their connection. */
  faults: string[];
  cpuSeconds: number;
}

export type Report = Connected | Played;

const limitMs = 60_000;
/** Devices that connect at a time: all at once would wait for the same processor and run into their limits. */
const connecting = 50;
const timerMs = 20;
/** In what time all who play begin. */
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
  return { p50: at(0.5), p99: at(0.99), most: at(1) };
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

/** Looks at how late a timer is, until it is stopped. */
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
  return { p50: late.percentileMs(0.5), p99: late.percentileMs(0.99), most: late.maxMs };
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
  const least = Math.floor((settings.seconds * 1000) / 20);
  return {
    phase: "played",
    packets: late.count,
    late: spreadOf(late),
    ownLate: own.stop(),
    first: spread(players.map((player) => player.firstMs ?? Number.POSITIVE_INFINITY)),
    stop: spread(players.map((player) => player.stopMs!)),
    faults: players.flatMap(({ device, packets, lost }) => {
      if (lost !== undefined) return [`${device.deviceId}: ${String(lost)}`];
      return packets < least ? [`${device.deviceId}: ${packets} packets of at least ${least}`] : [];
    }),
    cpuSeconds: (user + system) / 1e6,
  };
}

/** Speaks with the process that started it: a message begins the playing, another the end. */
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
