/** The slot of one live recording on its writer thread. */
import { errorOfNumber, type WavecacheError } from "../base/errors.ts";
import type { RecordingEntry, StartedSegment, WrittenAudio } from "../base/recording-entry.ts";
import type { Level } from "../codec/peaks/level.ts";
import type { OrderDecision } from "../codec/nibble-order.ts";
import {
  decodeJson,
  listenCodes,
  type ListenMode,
  type PastAudio,
  encodeJson,
  RECORD_AUDIO,
  RECORD_CLOSE,
  RECORD_CLOSED,
  RECORD_FAILED,
  RECORD_FRAMES,
  RECORD_LISTEN,
  RECORD_LISTENING,
  RECORD_LOOK,
  RECORD_OPEN,
  RECORD_ORDER,
  RECORD_SEGMENT,
  RECORD_SKIPPED,
  RECORD_SOUND,
  RECORD_SPLIT,
  RECORD_STARTED,
  RECORD_WRITTEN,
  type RecordingSpec,
  type SoundNews,
} from "../lane/messages/recordings.ts";
import { type Body, decodeFailure, decodeNumber, numberBytes } from "../lane/messages/streams.ts";
import type { SlotOwner, Writer } from "./writer.ts";

/** Events of a writer for one recording. After `closed` and after `lost` nothing follows. */
export interface RecordingEvents {
  started(segment: StartedSegment): void;
  segment(segment: RecordingEntry): void;
  ordered(decision: OrderDecision): void;
  /** The device has begun to sound, has become silent, or clips, or the audio has ended. */
  sound(news: SoundNews): void;
  /**
   * Answers `listen`, unless it asked for nothing: its audio follows. `past`: the files that have the audio before,
   * oldest first, if it asked to start where they end.
   */
  listening(past: PastAudio[]): void;
  /** Answers one `look`. */
  written(audio: WrittenAudio): void;
  /**
   * PCM16, interleaved: a view of shared memory that is valid until this returns. The time is of its first sample, in ms
   * since 1970.
   */
  audio(pcm: Uint8Array, timeMs: number): void;
  skipped(bytes: number): void;
  failed(error: WavecacheError): void;
  closed(): void;
  /** Called after a `write` that did not fit: resume. */
  room(): void;
  lost(error: WavecacheError): void;
}

const emptyBody = new Uint8Array(0);

export class RecordingSlot implements SlotOwner {
  readonly #writer: Writer;
  readonly #events: RecordingEvents;
  readonly #slot: number;
  readonly #levelCell: number | null;
  readonly canBeHeld = false;
  /** It is never held, so it has no turn. */
  readonly sender = "";

  constructor(writer: Writer, spec: RecordingSpec, events: RecordingEvents) {
    this.#writer = writer;
    this.#events = events;
    this.#slot = writer.open(this);
    this.#levelCell = writer.levelCells.take();
    writer.send(RECORD_OPEN, this.#slot, encodeJson({ ...spec, levelCell: this.#levelCell }));
  }

  /** How many levels of 100 ms there were, to tell a new one; undefined if this recording has none. */
  get levelBlocks(): number | undefined {
    return this.#levelCell === null ? undefined : this.#writer.levels.blocks(this.#levelCell);
  }

  /** The level of the last 100 ms; undefined if this recording has none. */
  get level(): Level | undefined {
    return this.#levelCell === null ? undefined : this.#writer.levels.read(this.#levelCell);
  }

  /** Copies a frame message into the lane. Returns false if it does not fit now: write it again after `room`. */
  write(message: Uint8Array): boolean {
    return this.#writer.writeWhole(RECORD_FRAMES, this.#slot, message);
  }

  /** Starts or stops the `audio` events. */
  listen(mode: ListenMode): void {
    this.#writer.send(RECORD_LISTEN, this.#slot, Uint8Array.of(listenCodes[mode]));
  }

  /** Asks for what is written and not reported as a complete segment. */
  look(): void {
    this.#writer.send(RECORD_LOOK, this.#slot, emptyBody);
  }

  /** Ends the segment. The next frame opens another one. */
  split(): void {
    this.#writer.send(RECORD_SPLIT, this.#slot, emptyBody);
  }

  /** Ends the recording; `closed` follows after its last segment. */
  close(): void {
    this.#writer.send(RECORD_CLOSE, this.#slot, emptyBody);
  }

  result(kind: number, body: Body): boolean {
    switch (kind) {
      case RECORD_AUDIO:
        this.#audio(body);
        return false;
      case RECORD_LISTENING:
        this.#events.listening(decodeJson(body));
        return false;
      case RECORD_SKIPPED:
        this.#events.skipped(decodeNumber(body));
        return false;
      case RECORD_STARTED:
        this.#events.started(decodeJson(body));
        return false;
      case RECORD_SEGMENT:
        this.#events.segment(decodeJson(body));
        return false;
      case RECORD_ORDER:
        this.#events.ordered(decodeJson(body));
        return false;
      case RECORD_FAILED: {
        const failure = decodeFailure(body);
        this.#events.failed(errorOfNumber(failure.number, failure.detail));
        return false;
      }
      case RECORD_WRITTEN:
        this.#events.written(decodeJson(body));
        return false;
      case RECORD_SOUND:
        this.#events.sound(decodeJson(body));
        return false;
      case RECORD_CLOSED:
        this.#writer.levelCells.release(this.#levelCell);
        this.#events.closed();
        return true;
      default:
        throw new RangeError(`a recording has no result of kind ${kind}`);
    }
  }

  #audio(body: Body): void {
    const { bytes, offset, length } = body;
    this.#events.audio(bytes.subarray(offset + numberBytes, offset + length), decodeNumber(body));
  }

  /** Never called: a device sends in real time and cannot be held. */
  hold(): void {}

  room(): void {
    this.#events.room();
  }

  lost(error: WavecacheError): void {
    this.#writer.levelCells.release(this.#levelCell);
    this.#events.lost(error);
  }
}
