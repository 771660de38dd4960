/**
 * One live stream that is being recorded, from its first frame until its files are closed.
 *
 *     recording --> ending --> over
 *         '--> failed ---------^          (what is safely in the files stays)
 */
import type { WavecacheError } from "../../base/errors.ts";
import { liveHistoryMs } from "../../base/limits/recordings.ts";
import type { Log } from "../../base/log.ts";
import type { RecordingEntry } from "../../base/recording-entry.ts";
import type { OrderDecision } from "../../codec/nibble-order.ts";
import type { RecordingSpec, StartedSegment } from "../../lane/messages/recordings.ts";
import type { RecordingEvents, RecordingSlot } from "../../pool/recording-slot.ts";
import type { Handshake } from "../../wire/ingest.ts";
import { LiveFeed } from "./live-feed.ts";

/** Whoever sends the frames. */
export interface RecordingOwner {
  /** `write` said false; now it may go on. */
  recordingHasRoom(): void;
  /** The recording has ended by itself; further frames are ignored. */
  recordingFailed(error: WavecacheError): void;
}

/** What a recording needs of the engine. */
export interface RecordingHost {
  readonly log: Log;
  openSlot(order: RecordingSpec, events: RecordingEvents): RecordingSlot;
  /** Live audio found no room on its way from the writer. */
  skippedLive(bytes: number): void;
  /** A segment is complete. */
  closed(segment: RecordingEntry): void;
  /** Nothing of the recording is under way any more; these segments were begun and never told to be complete. */
  released(recording: Recording, unfinished: string[]): void;
}

export class Recording implements RecordingEvents {
  readonly handshake: Handshake;
  /** Sanitised. */
  readonly hwid: string | null;
  readonly live: LiveFeed;
  readonly #owner: RecordingOwner;
  readonly #host: RecordingHost;
  readonly #slot: RecordingSlot;
  readonly #over = Promise.withResolvers<void>();
  readonly #unfinished = new Set<string>();
  /** Frames that the lane could not take yet, in order. */
  #waiting: Uint8Array[] = [];
  #state: "recording" | "ending" | "failed" = "recording";
  #totals = { segments: 0, frames: 0, gaps: 0, lostFrames: 0 };
  #order: OrderDecision | undefined;
  #skippedBytes = 0;

  constructor(order: RecordingSpec, owner: RecordingOwner, host: RecordingHost) {
    this.handshake = order.handshake;
    this.hwid = order.hwid;
    this.#owner = owner;
    this.#host = host;
    this.#slot = host.openSlot(order, this);
    const { sampleRate, channels } = order.handshake;
    const historyBytes = Math.ceil((sampleRate * liveHistoryMs) / 1000) * 2 * channels;
    this.live = new LiveFeed(historyBytes, (wanted) => this.#slot.listen(wanted));
  }

  /** Resolves when nothing of this recording is under way any more. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Names of segments that are being written, or are complete and not told to be. */
  get unfinished(): Iterable<string> {
    return this.#unfinished;
  }

  /** Takes a frame message. False asks the sender to pause until `recordingHasRoom`; the frame is taken either way. */
  write(message: Uint8Array): boolean {
    if (this.#state !== "recording") return true;
    if (this.#waiting.length === 0 && this.#slot.write(message)) return true;
    this.#waiting.push(message);
    return false;
  }

  /** The stream has ended: what was taken goes into the files, and they are closed. */
  end(): void {
    if (this.#state !== "recording") return;
    this.#state = "ending";
    if (this.#waiting.length === 0) this.#slot.close();
  }

  started({ name }: StartedSegment): void {
    this.#unfinished.add(name);
    this.#host.log.debug("a segment is open", { name });
  }

  segment(segment: RecordingEntry): void {
    this.#unfinished.delete(segment.name);
    this.#totals.segments += 1;
    this.#totals.frames += segment.frames;
    this.#totals.gaps += segment.gaps;
    this.#totals.lostFrames += segment.lostFrames;
    const { name, gaps, lostFrames } = segment;
    // Once a segment: a device with a bad radio loses frames many times a second.
    if (gaps > 0) this.#host.log.warn("frames were lost before they came here", { name, gaps, lostFrames });
    this.#host.closed(segment);
  }

  ordered(decision: OrderDecision): void {
    this.#order = decision;
    this.#host.log.info("nibble order", { ...this.#identity(), order: decision.order, by: decision.by });
  }

  listening(): void {
    this.live.listening();
  }

  audio(pcm: Uint8Array): void {
    this.live.push(pcm);
  }

  skipped(bytes: number): void {
    this.#skippedBytes += bytes;
    this.#host.skippedLive(bytes);
  }

  failed(error: WavecacheError): void {
    this.#host.log.error("a recording failed", { ...this.#identity(), code: error.code, error });
    if (this.#state === "failed") return;
    this.#giveUp(error);
    this.#slot.close();
  }

  lost(error: WavecacheError): void {
    if (this.#state !== "failed") this.#giveUp(error);
    this.closed();
  }

  closed(): void {
    this.live.end();
    const nibbles = this.#order === undefined ? {} : { nibbles: this.#order.order };
    const skipped = this.#skippedBytes === 0 ? {} : { skippedLiveBytes: this.#skippedBytes };
    this.#host.log.info("a recording ended", {
      ...this.#identity(),
      ...this.#totals,
      ...nibbles,
      ...skipped,
    });
    this.#host.released(this, [...this.#unfinished]);
    this.#over.resolve();
  }

  room(): void {
    while (this.#waiting.length > 0) {
      if (!this.#slot.write(this.#waiting[0]!)) return;
      this.#waiting.shift();
    }
    if (this.#state === "ending") this.#slot.close();
    else this.#owner.recordingHasRoom();
  }

  #giveUp(error: WavecacheError): void {
    this.#state = "failed";
    this.#waiting = [];
    this.#owner.recordingFailed(error);
  }

  #identity() {
    const { streamId } = this.handshake;
    return this.hwid === null ? { streamId } : { streamId, device: this.hwid };
  }
}
