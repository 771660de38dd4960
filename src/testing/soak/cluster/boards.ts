/** Devices over gRPC, which connect again to whichever server they get, and commands to them from any server. */
import { ledsOf, lastMode } from "../../../engine/devices/device-state.ts";
import type { Random } from "../../harness/bytes.ts";
import { GrpcDevice } from "../../harness/peers/grpc-device.ts";
import { until } from "../../harness/until.ts";
import type { Findings } from "./findings.ts";
import type { Place, Places } from "./places.ts";

const pauseMs = [300, 2_000] as const;
const commandMs = 10_000;
/** A board shows what a command has answered within this time, also if its server is frozen meanwhile. */
const shownMs = 30_000;
/** A command to a board that is away is carried out by the server that was asked, which another one need not know yet. */
const settledMs = 3_000;
const heardMs = 60_000;

export class ClusterBoard implements Disposable {
  commands = 0;
  refused = 0;
  readonly name: string;
  readonly #grpcPort: number;
  readonly #places: Places;
  readonly #random: Random;
  readonly #findings: Findings;
  #device: GrpcDevice;
  #connectedAt = performance.now();

  constructor(name: string, grpcPort: number, places: Places, random: Random, findings: Findings) {
    this.name = name;
    this.#grpcPort = grpcPort;
    this.#places = places;
    this.#random = random;
    this.#findings = findings;
    this.#device = new GrpcDevice(grpcPort, name);
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      this.#stayConnected();
      await this.#command(this.#places.server());
      await Bun.sleep(this.#random.int(...pauseMs));
    }
  }

  /** It takes commands of every server now, whatever happened before. */
  async obeyEverywhere(): Promise<void> {
    for (const place of this.#places.servers) {
      const obeys = async () => {
        this.#stayConnected();
        return (await this.#command(place)) || (await Bun.sleep(200), false);
      };
      const what = `${this.name} takes a command of ${place.name}`;
      await until(what, heardMs, obeys).catch((error: unknown) => this.#findings.add(String(error)));
    }
  }

  [Symbol.dispose](): void {
    this.#device.close();
  }

  #stayConnected(): void {
    if (this.#device.requests.length === 0) this.#connectedAt = performance.now();
    if (Object.keys(this.#device.endings).length === 0) return;
    this.#device.close();
    this.#device = new GrpcDevice(this.#grpcPort, this.name);
    this.#connectedAt = performance.now();
  }

  get #isSettled(): boolean {
    return performance.now() > this.#connectedAt + settledMs;
  }

  /** Sets a mode. Whether that was acknowledged, and is shown. */
  async #command({ origin, name }: Place): Promise<boolean> {
    if (!this.#isSettled) return false;
    const device = this.#device;
    const before = Math.max(0, device.shown.length - 1);
    const mode = this.#random.int(1, lastMode);
    const init = { method: "POST", signal: AbortSignal.timeout(commandMs) };
    const url = `${origin}/api/devices/${this.name}/mode?mode=${mode}`;
    const asked = fetch(url, init).then(async (answer) => (await answer.json()) as { connected?: boolean });
    const isConnected = (await asked.catch(() => undefined))?.connected === true;
    // A board that no server has at the moment is changed where the command was given, and shows it nowhere.
    if (!isConnected) {
      this.refused += 1;
      return false;
    }
    const leds = ledsOf({ mode, playing: undefined });
    // A command that got no answer in time may be carried out later than the next one.
    const isShown = () => device.shown.slice(before).some((shown) => Bun.deepEquals(shown, leds));
    const isLost = () => Object.keys(device.endings).length > 0;
    await until("LEDs", shownMs, () => isShown() || isLost()).catch(() => {
      const found = { mode, before, shown: device.shown.slice(before), requests: device.requests.length };
      this.#findings.add(`${this.name} does not show what ${name} has acknowledged`, found);
    });
    this.commands += 1;
    return isShown();
  }
}
