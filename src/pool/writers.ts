/**
 * The writer threads. An upload is pinned to one of them, so that its bytes are hashed and written in their order by
 * a thread that has its file at hand; which one is decided when it opens.
 */
import { maxExtentBytes, writeResultRingBytes, writeRingBytes } from "../base/limits.ts";
import { errorOfNumber, WavecacheError } from "../base/errors.ts";
import { FULL } from "../lane/ring.ts";
import {
  type Body,
  decodeFailure,
  decodeNumber,
  decodeSealed,
  encodeOpen,
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
} from "../lane/tasks.ts";
import { LaneThread, type ThreadOwner } from "./lane-thread.ts";
import { Respawn } from "./respawn.ts";

/** What an upload hears of its writer. After `failed` only `closed` follows, after `lost` nothing. */
export interface UploadEvents {
  /** The file is open; `keptBytes` were in it. */
  opened(keptBytes: number): void;
  /** Everything sent before the oldest unanswered `fence` is in the file, which has `bytes`. */
  fenced(bytes: number): void;
  sealed(sealed: Sealed): void;
  failed(error: WavecacheError): void;
  /** The slot is free; the file, unless it was discarded, has `bytes`. */
  closed(bytes: number): void;
  /** `write` took less than all and may be called again. */
  room(): void;
  lost(error: WavecacheError): void;
}

export interface WriterSettings {
  entry: URL;
  cacheDir: string;
  count: number;
  onLost: (reason: string) => void;
}

export class Writers {
  readonly #writers: Writer[];

  constructor(settings: WriterSettings) {
    this.#writers = Array.from({ length: settings.count }, (_, index) => new Writer(settings, index));
  }

  /** Opens an upload on the writer that has the fewest. `key` names its file in incoming/. */
  open(key: string, resume: boolean, events: UploadEvents): UploadLine {
    const writer = this.#writers.reduce((least, other) => (other.uploads < least.uploads ? other : least));
    return writer.open(key, resume, events);
  }

  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }
}

/** The way of one upload to its writer. */
export class UploadLine {
  readonly #writer: Writer;
  readonly slot: number;

  constructor(writer: Writer, slot: number) {
    this.#writer = writer;
    this.slot = slot;
  }

  /** Copies audio into the lane from byte `from` on. Returns how many bytes it took; less than all: `room` follows. */
  write(audio: Uint8Array, from: number): number {
    return this.#writer.write(this, audio, from);
  }

  /** Asks for `fenced` once everything written so far is in the file. */
  fence(): void {
    this.#writer.send(WRITE_FENCE, this.slot, nothing);
  }

  /** Ends the audio; `sealed` follows. */
  seal(): void {
    this.#writer.send(WRITE_SEAL, this.slot, nothing);
  }

  /** Lets go of the file, in any state; `closed` follows. */
  close(discard: boolean): void {
    this.#writer.send(WRITE_CLOSE, this.slot, discard ? yes : no);
  }
}

const nothing = new Uint8Array(0);
const yes = Uint8Array.of(1);
const no = Uint8Array.of(0);

class Writer implements ThreadOwner {
  readonly #respawn: Respawn;
  readonly #onLost: (reason: string) => void;
  #thread: LaneThread;
  #events = new Map<number, UploadEvents>();
  #waiting = new Set<UploadLine>();
  #nextSlot = 1;

  constructor(settings: WriterSettings, index: number) {
    const spawn = (replacement: boolean) =>
      new LaneThread(
        {
          entry: settings.entry,
          name: `writer ${index + 1}`,
          cacheDir: settings.cacheDir,
          taskRingBytes: writeRingBytes,
          resultRingBytes: writeResultRingBytes,
          replacement,
        },
        this,
      );
    this.#thread = spawn(false);
    this.#onLost = settings.onLost;
    this.#respawn = new Respawn(() => {
      this.#thread = spawn(true);
    });
  }

  get uploads(): number {
    return this.#events.size;
  }

  open(key: string, resume: boolean, events: UploadEvents): UploadLine {
    if (this.#respawn.pending) throw new WavecacheError("WORKER_LOST", "the writer is starting again");
    const line = new UploadLine(this, this.#nextSlot++);
    this.#events.set(line.slot, events);
    this.send(WRITE_OPEN, line.slot, encodeOpen(resume, key));
    return line;
  }

  send(kind: number, slot: number, body: Uint8Array): void {
    // The slots of a thread that died are gone; their owners have been told.
    if (this.#events.has(slot)) this.#thread.send(kind, slot, body);
  }

  write(line: UploadLine, audio: Uint8Array, from: number): number {
    if (!this.#events.has(line.slot)) return audio.length - from;
    const thread = this.#thread;
    let taken = from;
    while (taken < audio.length) {
      const bytes = Math.min(audio.length - taken, maxExtentBytes);
      let at = thread.extend(WRITE_DATA, line.slot, bytes, maxExtentBytes);
      if (at === FULL) at = thread.reserve(WRITE_DATA, line.slot, bytes);
      if (at === FULL) {
        this.#waiting.add(line);
        break;
      }
      thread.bytes.set(bytes === audio.length ? audio : audio.subarray(taken, taken + bytes), at);
      taken += bytes;
    }
    return taken - from;
  }

  onResult(kind: number, slot: number, body: Body): void {
    const events = this.#events.get(slot);
    if (events === undefined) return;
    switch (kind) {
      case WRITE_OPENED:
        return events.opened(decodeNumber(body));
      case WRITE_FENCED:
        return events.fenced(decodeNumber(body));
      case WRITE_SEALED:
        return events.sealed(decodeSealed(body));
      case WRITE_FAILED: {
        const failure = decodeFailure(body);
        return events.failed(errorOfNumber(failure.number, failure.detail));
      }
      case WRITE_CLOSED:
        this.#events.delete(slot);
        return events.closed(decodeNumber(body));
      default:
        throw new RangeError(`a writer has no result of kind ${kind}`);
    }
  }

  /** First come, first served; whoever finds the ring full again comes to the end of the next round. */
  onRoom(): void {
    const lines = this.#waiting;
    this.#waiting = new Set();
    for (const line of lines) this.#events.get(line.slot)?.room();
  }

  onLost(reason: string): void {
    const orphans = this.#events;
    this.#events = new Map();
    this.#waiting.clear();
    this.#onLost(reason);
    this.#respawn.schedule();
    for (const events of orphans.values()) events.lost(new WavecacheError("WORKER_LOST", reason));
  }

  close(): Promise<void> {
    return this.#respawn.pending ? this.#respawn.cancel() : this.#thread.close();
  }
}
