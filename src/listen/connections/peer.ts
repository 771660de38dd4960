/** One WebSocket connection: its socket, its session, and what the listener must know of its progress. */
import { errorRow } from "../../base/errors.ts";
import type { Principal } from "../../access/principal.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { defaultMaxMessageBytes } from "../../base/limits/connections.ts";
import type { Handshake, Session, Socket, SocketRoute } from "../route.ts";
import type { ConnectionSlot } from "./connection-limit.ts";
import { Pace } from "./pace.ts";
import { MessageProgress } from "./message-progress.ts";

/** A socket that can also be cut without a close handshake. */
export interface PeerSocket extends Socket {
  readonly address: string;
  terminate(): void;
}

export interface PeerSettings {
  slot: ConnectionSlot;
  route: SocketRoute;
  handshake: Handshake;
  release: () => void;
}

export class Peer implements Socket {
  readonly meter: GatewayMeter;
  readonly requestId: string;
  readonly progress = new MessageProgress();
  readonly #socket: PeerSocket;
  readonly #pace: Pace;
  readonly #slot: ConnectionSlot;
  readonly #maxMessageBytes: number;
  readonly #refusesLongTexts: boolean;
  session: Session | undefined;
  #isPausedBySession = false;
  /** Undefined while the peer reads its answers. */
  stalledSince: number | undefined;
  #isTooLarge = false;

  /** `release` gives the place among the connections of the principal back. */
  constructor(socket: PeerSocket, { slot, route, handshake, release }: PeerSettings) {
    this.#socket = socket;
    this.#pace = new Pace(handshake.principal.usage, release, {
      pause: (isPaused) => this.#updatePause(isPaused),
      drained: () => this.session?.drained(),
    });
    this.requestId = handshake.context.requestId;
    this.#slot = slot;
    this.meter = route.meter;
    this.#maxMessageBytes = route.maxMessageBytes ?? defaultMaxMessageBytes;
    this.#refusesLongTexts = route.refusesLongTexts ?? false;
  }

  get address(): string {
    return this.#socket.address;
  }

  message(message: string | Uint8Array): void {
    if (this.progress.messages === 0) this.#slot.spoke();
    this.progress.messages += 1;
    const bytes = payloadBytes(message);
    this.meter.bytesIn += bytes;
    this.#pace.received(bytes);
    const isForSession = this.#refusesLongTexts && typeof message === "string";
    if (bytes > this.#maxMessageBytes && !isForSession) return this.#refuse();
    if (this.#isTooLarge) return;
    if (typeof message === "string") this.session!.text(message);
    else this.session!.binary(message);
  }

  controlFrame(): void {
    this.progress.receivedControlFrame();
    this.session!.controlFrame?.();
  }

  drained(): void {
    this.stalledSince = undefined;
    if (!this.#pace.holdsDrain()) this.session!.drained();
  }

  send(message: string | Uint8Array): "sent" | "queued" | "dropped" {
    const outcome = this.#socket.send(message);
    if (outcome !== "dropped") this.meter.bytesOut += payloadBytes(message);
    if (outcome === "queued") this.stalledSince ??= performance.now();
    if (outcome === "dropped") return outcome;
    return this.#pace.sent(payloadBytes(message), outcome === "queued") ? "queued" : outcome;
  }

  bufferedBytes(): number {
    return this.#socket.bufferedBytes();
  }

  pause(): void {
    this.#isPausedBySession = true;
    this.#updatePause(this.#pace.isPaused);
  }

  resume(): void {
    this.#isPausedBySession = false;
    this.#updatePause(this.#pace.isPaused);
  }

  identify(principal: Principal): void {
    this.#pace.identify(principal.usage);
  }

  ping(): void {
    this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** The connection is over. */
  closed(): void {
    this.#pace.close();
    this.session?.closed();
  }

  #updatePause(isPausedByRate: boolean): void {
    const isPaused = this.#isPausedBySession || isPausedByRate;
    if (isPaused === this.progress.isPaused) return;
    this.progress.isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }

  /** Bun refuses only messages that are too large for every route of the port. */
  #refuse(): void {
    if (this.#isTooLarge) return;
    this.#isTooLarge = true;
    this.meter.failed("MESSAGE_TOO_LARGE");
    const { close, reason } = errorRow("MESSAGE_TOO_LARGE");
    this.close(close, reason);
  }
}

function payloadBytes(message: string | Uint8Array): number {
  return typeof message === "string" ? Buffer.byteLength(message) : message.length;
}
