/** The ERROR messages of one connection. Counts each, and logs the failures behind them. */
import { errorRow, isServerFault, toWavecacheError, type WavecacheError } from "../../base/errors.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { Log } from "../../base/log/log.ts";
import { encodeError, type TypeCase } from "../../wire/audio-cache.ts";

export class ErrorReplies {
  readonly #meter: GatewayMeter;
  readonly #log: Log;

  constructor(meter: GatewayMeter, log: Log) {
    this.#meter = meter;
    this.#log = log;
  }

  /** The reply to a message that breaks the protocol. */
  protocolError(message: string, typeCase?: TypeCase): string {
    this.#meter.refused += 1;
    return encodeError(message, typeCase);
  }

  /** The reply to a message longer than `maxChars`. */
  tooLarge(maxChars: number): string {
    this.#meter.failed("MESSAGE_TOO_LARGE");
    return encodeError(`Message too large (at most ${maxChars} characters)`);
  }

  /** The reply to a GET with nothing to read at its offset. */
  noData(offset: number, typeCase: TypeCase): string {
    this.#meter.failed("NO_DATA");
    return encodeError(`No data available at offset ${offset}`, typeCase);
  }

  /** The reply to a request that failed. `what` names the request; only the error table's reason goes to the peer. */
  requestFailed(what: string, error: unknown, typeCase: TypeCase): string {
    const known = toWavecacheError(error);
    this.#meter.failed(known.code);
    const log = isServerFault(known.code) ? this.#log.error : this.#log.debug;
    log("a request failed", { request: what, code: known.code, error: known });
    return encodeError(`${what} (${reasonOf(known)})`, typeCase);
  }

  /** The message about an upload that fails between its START and its STOP. */
  uploadFailed(streamId: string, error: WavecacheError): string {
    this.#meter.failed(error.code);
    this.#log.warn("an upload failed", { streamId, code: error.code, error });
    return encodeError(`Failed to write to stream: ${streamId} (${reasonOf(error)})`);
  }
}

function reasonOf(error: WavecacheError): string {
  return errorRow(error.code).reason;
}
