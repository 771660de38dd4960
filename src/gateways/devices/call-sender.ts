/** The sending side of one gRPC call of a device. */
import type { Metadata } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import { errorRow, type WavecacheError } from "../../base/errors.ts";

/** The common part of calls with a response stream. */
export interface StreamingCall<Out> extends EventEmitter {
  readonly metadata: Metadata;
  getPeer(): string;
  getPath(): string;
  write(message: Out): boolean;
  end(): void;
}

export class CallSender<Out> {
  readonly #call: StreamingCall<Out>;
  #isOver = false;

  constructor(call: StreamingCall<Out>) {
    this.#call = call;
    const onOver = () => {
      this.#isOver = true;
    };
    call.on("cancelled", onOver);
    call.on("close", onOver);
  }

  /** The server or the device ended the call: nothing more can be sent. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** False: accepted, but wait until the call emits `drain`. Ignored once the call is over. */
  send(message: Out): boolean {
    return this.#isOver || this.#call.write(message);
  }

  /** Ends the call after everything sent: with OK, or with the status of an error. */
  end(error?: WavecacheError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error === undefined) {
      this.#call.end();
      return;
    }
    const { grpc, reason, hint } = errorRow(error.code);
    this.#call.emit("error", { code: grpc, details: `${reason}: ${hint}` });
  }
}
