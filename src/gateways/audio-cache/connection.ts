/** One peer's socket, shared by the session and its answers: both can pause the peer, and both can end the connection. */
import { type ErrorCode, errorRow } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Socket } from "../../listen/route.ts";
import type { AnswerControl } from "./answers.ts";

export class Connection implements AnswerControl {
  readonly #socket: Socket;
  readonly #meter: GatewayMeter;
  #isAudioPaused = false;
  #areRequestsPaused = false;
  #isPaused = false;
  #isClosing = false;

  constructor(socket: Socket, meter: GatewayMeter) {
    this.#socket = socket;
    this.#meter = meter;
  }

  /** Pauses the peer while uploads hold audio that their writers have no room for. */
  pauseAudio(isPaused: boolean): void {
    this.#isAudioPaused = isPaused;
    this.#updatePause();
  }

  /** Pauses the peer while too many requests wait for their answers. */
  pauseRequests(isPaused: boolean): void {
    this.#areRequestsPaused = isPaused;
    this.#updatePause();
  }

  /** Closes the connection with the error's close code. Only the first error counts. */
  fail(code: ErrorCode): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#meter.failed(code);
    const { close, reason } = errorRow(code);
    this.#socket.close(close, reason);
  }

  #updatePause(): void {
    const isPaused = this.#isAudioPaused || this.#areRequestsPaused;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#socket.pause();
    else this.#socket.resume();
  }
}
