/** Echoes every message. While the peer does not read, its socket is paused. */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorRow } from "../../base/errors.ts";
import type { Session, Socket } from "../../listen/route.ts";

export class EchoSession implements Session {
  readonly #socket: Socket;
  readonly #meter: GatewayMeter;
  #paused = false;

  constructor(socket: Socket, meter: GatewayMeter) {
    this.#socket = socket;
    this.#meter = meter;
  }

  text(message: string): void {
    this.#send(message);
  }

  binary(frame: Uint8Array): void {
    this.#send(frame);
  }

  drained(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  closed(): void {}

  #send(message: string | Uint8Array): void {
    const outcome = this.#socket.send(message);
    if (outcome === "sent") return;
    const { close, reason } = errorRow("PEER_STALLED");
    if (outcome === "dropped") {
      this.#meter.failed("PEER_STALLED");
      return this.#socket.close(close, reason);
    }
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }
}
