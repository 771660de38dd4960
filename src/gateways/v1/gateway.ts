/** The gateway of protocol v1: its connections, the windows they share, and their shutdown. */
import type { Access } from "../../access/access.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorRow } from "../../base/errors.ts";
import { ackIntervalMs, receiveBudgetBytes, totalReceiveBudgetBytes } from "../../base/limits/v1.ts";
import type { Log } from "../../base/log/log.ts";
import { Ticker } from "../../base/ticker.ts";
import type { SocketRoute } from "../../listen/route.ts";
import { channelWindow } from "../../wire/v1/credit.ts";
import { subprotocol } from "../../wire/v1/messages.ts";
import { mayUseV1 } from "./authentication.ts";
import type { LiveRecordings, Streams } from "./dependencies.ts";
import { V1Session, type V1SessionHost } from "./session.ts";

export interface V1GatewaySettings {
  streams: Streams;
  recordings: LiveRecordings;
  access: Access;
  /** Serves `path`, `path/` and `/`, like the audio cache; the subprotocol tells them apart. */
  path: string;
  /** The server's name in HELLO. */
  name: string;
  /** A connection closes after this long without a message. */
  idleMs: number;
  meter: GatewayMeter;
  log: Log;
}

/** Two ticks per ACK: one asks how much is written and durable, the next acknowledges the result. */
const tickMs = ackIntervalMs / 2;
/** Interval of the check, during a shutdown, whether all sessions have ended. */
const endCheckMs = 20;
/** Time for the disk to make the received audio durable after the shutdown deadline. */
const settleMs = 1_000;

export class V1Gateway implements V1SessionHost {
  readonly streams: Streams;
  readonly recordings: LiveRecordings;
  readonly access: Access;
  readonly meter: GatewayMeter;
  readonly log: Log;
  readonly name: string;
  readonly idleMs: number;
  readonly route: SocketRoute;
  readonly #sessions = new Set<V1Session>();
  readonly #ticker = new Ticker(tickMs);
  #uploadChannels = 0;
  #isLeaving = false;

  constructor({ streams, recordings, access, path, name, idleMs, meter, log }: V1GatewaySettings) {
    this.streams = streams;
    this.recordings = recordings;
    this.access = access;
    this.meter = meter;
    this.log = log;
    this.name = name;
    this.idleMs = idleMs;
    this.route = {
      meter,
      protocol: subprotocol,
      requireAccess: ({ principal }) => {
        // HELLO may have a token.
        if (!principal.isAnonymous && !mayUseV1(principal)) principal.requireSomeStream();
      },
      accepts: (asked) => asked === "/" || asked === path || asked === `${path}/`,
      open: (socket, { principal, context }) => {
        const session = new V1Session(socket, { principal, context }, this);
        if (this.#sessions.size === 0) this.#ticker.add(this.#tick);
        this.#sessions.add(session);
        return session;
      },
    };
  }

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  uploadWindow(channels: number): number {
    return Math.min(
      channelWindow(receiveBudgetBytes, channels),
      channelWindow(totalReceiveBudgetBytes, this.#uploadChannels),
    );
  }

  countUploadChannel(by: 1 | -1): void {
    this.#uploadChannels += by;
  }

  closed(session: V1Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#ticker.remove(this.#tick);
  }

  /**
   * Sends GOODBYE to every peer and closes each connection when its last channel closes, or at the deadline. At the
   * deadline the received audio is made durable and acknowledged first.
   */
  async leave(deadlineMs: number): Promise<void> {
    this.#isLeaving = true;
    for (const session of this.#sessions) session.leave(deadlineMs);
    const deadline = performance.now() + deadlineMs;
    while (this.#hasOpenSession() && performance.now() < deadline) await Bun.sleep(endCheckMs);
    if (this.#hasOpenSession()) await Promise.race([this.#settle(), Bun.sleep(settleMs)]);
    const { close, reason } = errorRow("SHUTTING_DOWN");
    for (const session of this.#sessions) session.close(close, reason);
  }

  #hasOpenSession(): boolean {
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
