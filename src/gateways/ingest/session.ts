/**
 * One connection of live ingest: a handshake, then audio frames. An invalid message ends this connection only; the
 * recording keeps every frame before it.
 */
import { recordingResource } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorRow, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxIngestFrameBytes } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log/log.ts";
import type { RecordingOwner } from "../../engine/recordings/recording.ts";
import type { Ticks } from "../../base/ticker.ts";
import type { RequestContext } from "../../base/request-context.ts";
import type { Handshake as Connecting, Session, Socket } from "../../listen/route.ts";
import {
  decodeHandshake,
  type Handshake,
  type IngestRefusal,
  refusalCloseCode,
  refuseFrame,
  sanitizeHwid,
  textMessageClose,
} from "../../wire/ingest.ts";
import { Keepalive } from "./keepalive.ts";

/** A recording in progress. */
export interface IngestRecording {
  /** False: accepted, but pause until `recordingHasRoom`. */
  write(message: Uint8Array): boolean;
  end(): void;
}

/** What this gateway needs of the engine. */
export interface Ingest {
  start(handshake: Handshake, hwid: string, owner: RecordingOwner): IngestRecording;
}

/** What a session needs, besides its socket. */
export interface IngestHost {
  ingest: Ingest;
  meter: GatewayMeter;
  log: Log;
  /** Every `ingestCheckMs`. */
  ticks: Ticks;
}

/** Close code "try again later", for a recording that fails: the device may reconnect. */
const tryAgainCode = 1013;

const maxLoggedChars = 128;

export class IngestSession implements Session, RecordingOwner {
  readonly context: RequestContext;
  readonly #socket: Socket;
  readonly #hwid: string;
  readonly #principal: Principal;
  readonly #host: IngestHost;
  readonly #keepalive = new Keepalive();
  #handshake: Handshake | undefined;
  #recording: IngestRecording | undefined;
  #isPaused = false;
  #isOver = false;

  /** `hwid`: unsanitized, as the device sent it. */
  constructor(
    socket: Socket,
    hwid: string,
    { principal, context }: Pick<Connecting, "principal" | "context">,
    host: IngestHost,
  ) {
    this.context = context;
    this.#socket = socket;
    this.#hwid = hwid;
    this.#principal = principal;
    this.#host = host;
    host.ticks.add(this.#check);
  }

  get account(): RecordingOwner["account"] {
    return this.#principal.usage.account;
  }

  text(): void {
    this.#host.meter.refused += 1;
    this.#end(textMessageClose.code, textMessageClose.reason);
  }

  binary(message: Uint8Array): void {
    if (this.#isOver) return;
    this.#keepalive.received();
    if (this.#handshake === undefined) return this.#handleHandshake(message);
    const refusal = refuseFrame(this.#handshake, message);
    if (refusal !== undefined) return this.#refuse(refusal);
    if (message.length > maxIngestFrameBytes)
      return this.#fail(new WavecacheError("MESSAGE_TOO_LARGE"), 1009);
    this.#recording ??= this.#start(this.#handshake);
    if (this.#recording?.write(message) === false) this.#pause();
  }

  controlFrame(): void {
    this.#keepalive.received();
  }

  drained(): void {}

  closed(): void {
    this.#isOver = true;
    this.#host.ticks.remove(this.#check);
    this.#recording?.end();
  }

  recordingHasRoom(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (!this.#isOver) this.#socket.resume();
  }

  recordingFailed(error: WavecacheError): void {
    const { close, reason } = errorRow(error.code);
    // That is no fault of the recording, and nothing to warn about.
    if (error.code === "SHUTTING_DOWN") this.#end(close, reason);
    else this.#fail(error, tryAgainCode);
  }

  #handleHandshake(message: Uint8Array): void {
    const handshake = decodeHandshake(message);
    if (typeof handshake === "string") return this.#refuse(handshake);
    this.#handshake = handshake;
    try {
      const device = sanitizeHwid(this.#hwid) ?? null;
      this.#principal.require("ingest", recordingResource(device, handshake.streamId));
    } catch (error) {
      const failure = toWavecacheError(error);
      this.#fail(failure, errorRow(failure.code).close);
    }
  }

  /** Starts the recording. If that fails, closes the connection and returns undefined. */
  #start(handshake: Handshake): IngestRecording | undefined {
    try {
      return this.#host.ingest.start(handshake, this.#hwid, this);
    } catch (error) {
      const failure = toWavecacheError(error);
      const isShuttingDown = failure.code === "SHUTTING_DOWN";
      this.#fail(failure, isShuttingDown ? errorRow(failure.code).close : tryAgainCode);
      return undefined;
    }
  }

  readonly #check = (): void => {
    // Nothing is read from a paused socket, so nothing can arrive.
    if (this.#isPaused) return this.#keepalive.received();
    const due = this.#keepalive.check();
    if (due === "ping") this.#socket.ping();
    else if (due === "close") this.#fail(new WavecacheError("PEER_UNRESPONSIVE"), tryAgainCode);
  };

  #pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  #refuse(refusal: IngestRefusal): void {
    this.#host.meter.refused += 1;
    this.#host.log.warn("a device sent an invalid message", { ...this.#identity(), refusal });
    this.#end(refusalCloseCode, refusal);
  }

  #fail(error: WavecacheError, closeCode: number): void {
    this.#host.meter.failed(error.code);
    this.#host.log.warn("a device is disconnected", { ...this.#identity(), code: error.code, error });
    this.#end(closeCode, errorRow(error.code).reason);
  }

  #identity() {
    const hwid = this.#hwid.slice(0, maxLoggedChars);
    return { hwid, streamId: this.#handshake?.streamId ?? "none", requestId: this.context.requestId };
  }

  /** Closes the socket. The listener then calls `closed`, which ends the recording. */
  #end(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.close(code, reason);
  }
}
