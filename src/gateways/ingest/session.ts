/**
 * One connection of live ingest: a handshake, then audio frames. Each message is judged here, and one that is wrong
 * ends this connection alone; what came before it is recorded, whole.
 */
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { errorRow, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxIngestFrameBytes } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log.ts";
import type { RecordingOwner } from "../../engine/recordings/recording.ts";
import type { Session, Socket } from "../../listen/route.ts";
import {
  decodeHandshake,
  type Handshake,
  type IngestRefusal,
  refusalCloseCode,
  refuseFrame,
  textMessageClose,
} from "../../wire/ingest.ts";

/** A stream that is being recorded. */
export interface IngestRecording {
  /** False asks to pause until `recordingHasRoom`; the message is taken either way. */
  write(message: Uint8Array): boolean;
  end(): void;
}

/** What this door needs of the engine. */
export interface Ingest {
  start(handshake: Handshake, hwid: string, owner: RecordingOwner): IngestRecording;
}

/** The close of a stream that could not be recorded: the device may come again later. */
const tryAgainCode = 1013;

const maxLoggedChars = 128;

export class IngestSession implements Session, RecordingOwner {
  readonly #socket: Socket;
  readonly #ingest: Ingest;
  readonly #hwid: string;
  readonly #meter: GatewayMeter;
  readonly #log: Log;
  #handshake: Handshake | undefined;
  #recording: IngestRecording | undefined;
  #paused = false;
  #over = false;

  /** `hwid` is as the device gave it. */
  constructor(socket: Socket, ingest: Ingest, hwid: string, meter: GatewayMeter, log: Log) {
    this.#socket = socket;
    this.#ingest = ingest;
    this.#hwid = hwid;
    this.#meter = meter;
    this.#log = log;
  }

  text(): void {
    this.#meter.refused += 1;
    this.#end(textMessageClose.code, textMessageClose.reason);
  }

  binary(message: Uint8Array): void {
    if (this.#over) return;
    if (this.#handshake === undefined) return this.#shake(message);
    const refusal = refuseFrame(this.#handshake, message);
    if (refusal !== undefined) return this.#refuse(refusal);
    if (message.length > maxIngestFrameBytes)
      return this.#fail(new WavecacheError("MESSAGE_TOO_LARGE"), 1009);
    this.#recording ??= this.#start(this.#handshake);
    if (this.#recording?.write(message) === false) this.#pause();
  }

  drained(): void {}

  closed(): void {
    this.#over = true;
    this.#recording?.end();
  }

  recordingHasRoom(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.#over) this.#socket.resume();
  }

  recordingFailed(error: WavecacheError): void {
    this.#fail(error, tryAgainCode);
  }

  #shake(message: Uint8Array): void {
    const handshake = decodeHandshake(message);
    if (typeof handshake === "string") this.#refuse(handshake);
    else this.#handshake = handshake;
  }

  /** Undefined, with the connection closed, if it cannot be recorded. */
  #start(handshake: Handshake): IngestRecording | undefined {
    try {
      return this.#ingest.start(handshake, this.#hwid, this);
    } catch (error) {
      const failure = toWavecacheError(error);
      const isGoing = failure.code === "SHUTTING_DOWN";
      this.#fail(failure, isGoing ? errorRow(failure.code).close : tryAgainCode);
      return undefined;
    }
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  #refuse(refusal: IngestRefusal): void {
    this.#meter.refused += 1;
    this.#log.warn("a message of a device is wrong", { ...this.#identity(), refusal });
    this.#end(refusalCloseCode, refusal);
  }

  #fail(error: WavecacheError, closeCode: number): void {
    this.#meter.failed(error.code);
    this.#log.warn("a device is sent away", { ...this.#identity(), code: error.code, error });
    this.#end(closeCode, errorRow(error.code).reason);
  }

  #identity() {
    return { hwid: this.#hwid.slice(0, maxLoggedChars), streamId: this.#handshake?.streamId ?? "none" };
  }

  /** `closed` follows, and ends the recording. */
  #end(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.close(code, reason);
  }
}
