/** One call of a device, on the way out: what is sent, and how it ends. */
import type { Metadata } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import { errorRow, type WavecacheError } from "../../base/errors.ts";

/** What all calls that answer with a stream have in common. */
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
    const over = () => {
      this.#isOver = true;
    };
    call.on("cancelled", over);
    call.on("close", over);
  }

  /** Nothing more can be sent: it was ended here or left there. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** False asks to wait until the call emits `drain`; the message is taken either way, unless the call is over. */
  send(message: Out): boolean {
    return this.#isOver || this.#call.write(message);
  }

  /** Ends it after what was sent: well, or with the status of an error. */
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
