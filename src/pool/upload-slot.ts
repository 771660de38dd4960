/** The slot of one upload on its writer thread. */
import { errorOfNumber, type WavecacheError } from "../base/errors.ts";
import {
  type Body,
  decodeFailure,
  decodeKept,
  decodeNumber,
  decodeSealed,
  encodeOpen,
  type Kept,
  type Sealed,
  WRITE_CLOSE,
  WRITE_CLOSED,
  WRITE_DATA,
  WRITE_FAILED,
  WRITE_FENCE,
  WRITE_FENCED,
  WRITE_OPEN,
  WRITE_OPENED,
  WRITE_SEAL,
  WRITE_SEALED,
} from "../lane/messages/streams.ts";
import type { SlotOwner, Writer } from "./writer.ts";

/** Events of a writer for one upload. After `failed` only `closed` follows, after `lost` nothing. */
export interface UploadEvents {
  /** Who sends the audio. */
  readonly sender: string;
  /** The file is open. */
  opened(kept: Kept): void;
  /** Answers the oldest open `fence`: all audio before it is in the file, which has `bytes`. */
  fenced(bytes: number): void;
  sealed(sealed: Sealed): void;
  failed(error: WavecacheError): void;
  /** The slot is free. The file, unless discarded, has `bytes`. */
  closed(bytes: number): void;
  /** The lane is full: bring nothing more until `room`. */
  hold(): void;
  /** Called after a `write` that did not fit, or after `hold`: resume. */
  room(): void;
  lost(error: WavecacheError): void;
}

const emptyBody = new Uint8Array(0);
const yes = Uint8Array.of(1);
const no = Uint8Array.of(0);

export class UploadSlot implements SlotOwner {
  readonly #writer: Writer;
  readonly #events: UploadEvents;
  readonly #slot: number;
  readonly canBeHeld = true;

  constructor(writer: Writer, key: string, resume: boolean, events: UploadEvents) {
    this.#writer = writer;
    this.#events = events;
    this.#slot = writer.open(this);
    writer.send(WRITE_OPEN, this.#slot, encodeOpen(resume, key));
  }

  /** An upload may get another sender while it is open. */
  get sender(): string {
    return this.#events.sender;
  }

  /** Copies audio into the lane from byte `from` on. Returns how many bytes fitted; if not all did, `room` follows. */
  write(audio: Uint8Array, from: number): number {
    return this.#writer.write(WRITE_DATA, this.#slot, audio, from);
  }

  /** Asks for `fenced` once everything written so far is in the file. */
  fence(): void {
    this.#writer.send(WRITE_FENCE, this.#slot, emptyBody);
  }

  /** Ends the audio; `sealed` follows. */
  seal(): void {
    this.#writer.send(WRITE_SEAL, this.#slot, emptyBody);
  }

  /** Closes the file, in any state; `closed` follows. */
  close(discard: boolean): void {
    this.#writer.send(WRITE_CLOSE, this.#slot, discard ? yes : no);
  }

  result(kind: number, body: Body): boolean {
    switch (kind) {
      case WRITE_OPENED:
        this.#events.opened(decodeKept(body));
        return false;
      case WRITE_FENCED:
        this.#events.fenced(decodeNumber(body));
        return false;
      case WRITE_SEALED:
        this.#events.sealed(decodeSealed(body));
        return false;
      case WRITE_FAILED: {
        const failure = decodeFailure(body);
        this.#events.failed(errorOfNumber(failure.number, failure.detail));
        return false;
      }
      case WRITE_CLOSED:
        this.#events.closed(decodeNumber(body));
        return true;
      default:
        throw new RangeError(`an upload has no result of kind ${kind}`);
    }
  }

  hold(): void {
    this.#events.hold();
  }

  room(): void {
    this.#events.room();
  }

  lost(error: WavecacheError): void {
    this.#events.lost(error);
  }
}
