/** The door of protocol v1: its connections, what they share, and their end. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorRow } from "../../base/errors.ts";
import { ackIntervalMs, receiveBudgetBytes, totalReceiveBudgetBytes } from "../../base/limits/v1.ts";
import type { Log } from "../../base/log.ts";
import { Ticker } from "../../base/ticker.ts";
import type { SocketRoute } from "../../listen/route.ts";
import { channelWindow } from "../../wire/v1/credit.ts";
import { subprotocol } from "../../wire/v1/messages.ts";
import type { Core } from "./core.ts";
import { type SessionHost, V1Session } from "./session.ts";

export interface V1GatewaySettings {
  core: Core;
  /** Serves `path`, `path/` and `/`, as the audio cache's older protocol. */
  path: string;
  /** Names this program to peers. */
  name: string;
  /** A connection on which nothing comes for so long is closed. */
  idleMs: number;
  meter: GatewayMeter;
  log: Log;
}

/** An acknowledgement tells what was found out a tick before. */
const tickMs = ackIntervalMs / 2;
/** How often it is looked whether all channels have ended, at the end. */
const endCheckMs = 20;
/** What the disk is given to take what has come until then. */
const settleMs = 1_000;

export class V1Gateway implements SessionHost {
  readonly core: Core;
  readonly meter: GatewayMeter;
  readonly log: Log;
  readonly name: string;
  readonly idleMs: number;
  readonly route: SocketRoute;
  readonly #sessions = new Set<V1Session>();
  readonly #ticker = new Ticker(tickMs);
  #writing = 0;
  #isLeaving = false;

  constructor({ core, path, name, idleMs, meter, log }: V1GatewaySettings) {
    this.core = core;
    this.meter = meter;
    this.log = log;
    this.name = name;
    this.idleMs = idleMs;
    this.route = {
      meter,
      protocol: subprotocol,
      accepts: (asked) => asked === "/" || asked === path || asked === `${path}/`,
      open: (socket) => {
        const session = new V1Session(socket, this);
        if (this.#sessions.size === 0) this.#ticker.add(this.#tick);
        this.#sessions.add(session);
        return session;
      },
    };
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  writingWindow(channels: number): number {
    return Math.min(
      channelWindow(receiveBudgetBytes, channels),
      channelWindow(totalReceiveBudgetBytes, this.#writing),
    );
  }

  countWriting(by: 1 | -1): void {
    this.#writing += by;
  }

  closed(session: V1Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#ticker.remove(this.#tick);
  }

  /**
   * Says good-bye to every peer, and ends each connection when no channel is open any more, or at the deadline; what
   * has come until then is durable, and the peers know that it is.
   */
  async leave(deadlineMs: number): Promise<void> {
    this.#isLeaving = true;
    for (const session of this.#sessions) session.leave(deadlineMs);
    const deadline = performance.now() + deadlineMs;
    while (this.#hasOpen() && performance.now() < deadline) await Bun.sleep(endCheckMs);
    if (this.#hasOpen()) await Promise.race([this.#settle(), Bun.sleep(settleMs)]);
    const { close, reason } = errorRow("SHUTTING_DOWN");
    for (const session of this.#sessions) session.close(close, reason);
  }

  #hasOpen(): boolean {
    for (const session of this.#sessions) if (!session.isOver) return true;
    return false;
  }

  async #settle(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.settle()));
  }

  readonly #tick = (): void => {
    const now = performance.now();
    for (const session of this.#sessions) session.tick(now);
  };
}
