/**
 * The recording of one live stream, from its first frame until its files are closed.
 *
 *     recording --> ending --> over
 *         '--> failed ---------^          (the files keep what was written)
 */
import { join } from "node:path";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { liveHistoryMs } from "../../base/limits/recordings.ts";
import type { RequestContext } from "../../base/request-context.ts";
import type { Span, Tracer } from "../../base/tracing/tracer.ts";
import type { Log } from "../../base/log/log.ts";
import type { RecordingEntry, StartedSegment, WrittenAudio } from "../../base/recording-entry.ts";
import type { Level } from "../../codec/peaks/level.ts";
import type { OrderDecision } from "../../codec/nibble-order.ts";
import type { PastAudio, RecordingSpec, SoundNews } from "../../lane/messages/recordings.ts";
import type { RecordingEvents, RecordingSlot } from "../../pool/recording-slot.ts";
import type { LiveEncoding, LiveEncodingEvents } from "../../pool/live-encodings.ts";
import type { Account } from "../../store/streams/accounts.ts";
import type { LiveTask } from "../../store/sounds/encoder-calls.ts";
import type { Handshake } from "../../wire/ingest.ts";
import { LiveFeed } from "./live-feed.ts";
import { LiveOpus } from "./live-opus.ts";
import { UnenteredBytes } from "./unentered-bytes.ts";

/** The session that receives the frames from a device. */
export interface RecordingOwner {
  /** The token that the recording counts for. */
  readonly account?: Account | undefined;
  /** The connection that the frames come by. */
  readonly context?: RequestContext | undefined;
  /** The sender may continue after `write` has returned false. */
  recordingHasRoom(): void;
  /** The recording failed by itself. Further frames are ignored. */
  recordingFailed(error: WavecacheError): void;
}

/** What a recording needs of the engine. */
export interface RecordingHost {
  readonly log: Log;
  readonly tracer: Tracer;
  openSlot(spec: RecordingSpec, events: RecordingEvents): RecordingSlot;
  /** Why a recording may not take so many bytes more; undefined if it may. */
  refuseWrite(recording: Recording, bytes: number): WavecacheError | undefined;
  /** Counts live audio that the writer skipped because its lane was full. */
  countSkippedLive(bytes: number): void;
  /** Encodes live audio in the encoding thread. */
  encodeLive(task: LiveTask, events: LiveEncodingEvents): LiveEncoding;
  /** Takes a complete segment, to enter it in the catalog. */
  addSegment(segment: RecordingEntry, recording: Recording): void;
  /** Keeps what a repair of the segment would need. */
  addStarted(segment: StartedSegment, recording: Recording): void;
  /** Sound, silence or clipping has begun, or the audio has ended. */
  noteSound(recording: Recording, news: SoundNews): void;
  /** Forgets a recording that is over, and repairs the segments that its writer has not finished. */
  release(recording: Recording, unfinished: string[]): void;
}

const nothingWritten: WrittenAudio = { segments: [], knownUntilUs: null };

export class Recording implements RecordingEvents {
  readonly handshake: Handshake;
  /** The sanitised hardware id. */
  readonly hwid: string | null;
  /** Identifies the connection. */
  readonly connection: string;
  readonly live: LiveFeed;
  /** Its bytes that the catalog does not have. */
  readonly unentered: UnenteredBytes;
  /** The same audio as Opus. */
  readonly opus: LiveOpus;
  readonly #owner: RecordingOwner;
  readonly #host: RecordingHost;
  readonly #slot: RecordingSlot;
  readonly #over = Promise.withResolvers<void>();
  /** Segments that the writer has started and not reported as complete, by name. */
  readonly #unfinished = new Map<string, Span>();
  /** Frames that wait for room in the lane, in order. */
  #queue: Uint8Array[] = [];
  #state: "recording" | "ending" | "failed" = "recording";
  #totals = { segments: 0, frames: 0, gaps: 0, lostFrames: 0 };
  #nibbleOrder: OrderDecision | undefined;
  #skippedBytes = 0;
  /** Calls of `look` that the writer has not answered, oldest first. */
  #looks: ((audio: WrittenAudio) => void)[] = [];
  #isOver = false;
  /** The token has a limit of stored bytes: each frame is compared with it. */
  #isLimited = false;
  /** Frames wait until it is known what the token has stored. */
  #isHeld = false;

  constructor(spec: RecordingSpec, owner: RecordingOwner, host: RecordingHost) {
    this.handshake = spec.handshake;
    this.hwid = spec.hwid;
    this.connection = spec.connection;
    this.unentered = new UnenteredBytes(spec.handshake);
    this.#owner = owner;
    this.#host = host;
    this.#slot = host.openSlot(spec, this);
    const { sampleRate, channels } = spec.handshake;
    const historyBytes = Math.ceil((sampleRate * liveHistoryMs) / 1000) * 2 * channels;
    this.live = new LiveFeed(historyBytes, (mode) => this.#slot.listen(mode));
    this.opus = new LiveOpus({
      feed: this.live,
      sampleRate,
      channels,
      wavPath: (name) => join(spec.folder, `${name}.wav`),
      encode: (task, events) => host.encodeLive(task, events),
      countSkipped: (bytes) => host.countSkippedLive(bytes),
      failed: (error) => host.log.warn("live audio is not encoded any more", { ...this.#identity(), error }),
    });
  }

  /** Accepts frames: it has neither ended nor failed. */
  get isRunning(): boolean {
    return this.#state === "recording";
  }

  get hasFailed(): boolean {
    return this.#state === "failed";
  }

  /** Live listeners. */
  get listeners(): number {
    const opus = this.opus.listeners;
    // The encoding itself is a listener to the feed.
    return this.live.listeners + (opus > 0 ? opus - 1 : 0);
  }

  /** Resolves when nothing of this recording runs any more. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Names of the segments that the writer has started and not reported as complete. */
  get unfinished(): Iterable<string> {
    return this.#unfinished.keys();
  }

  /** Accepts a frame message. False asks the sender to pause until `recordingHasRoom`; the frame is accepted either way. */
  write(message: Uint8Array): boolean {
    if (this.#state !== "recording") return true;
    const refusal = this.#isLimited ? this.#refusalOf(message) : undefined;
    if (refusal !== undefined) return this.#refuse(refusal);
    this.unentered.receive(message.length);
    if (this.#queue.length === 0 && !this.#isHeld && this.#slot.write(message)) return true;
    this.#queue.push(message);
    return false;
  }

  /** Frames wait for the answer. If that rejects, nothing of this recording is written. */
  async admit(answer: Promise<void>): Promise<void> {
    this.#isLimited = true;
    this.#isHeld = true;
    const refusal = await answer.then(() => undefined, toWavecacheError);
    this.#isHeld = false;
    if (this.#state === "failed") return;
    if (refusal === undefined) return this.room();
    this.#queue = [];
    if (this.#state === "ending") this.#slot.close();
    else this.#refuse(refusal);
  }

  /** What is in files and was not passed to `addSegment`, at the time of the answer. */
  look(): Promise<WrittenAudio> {
    if (this.#isOver) return Promise.resolve(nothingWritten);
    return new Promise((resolve) => {
      this.#looks.push(resolve);
      this.#slot.look();
    });
  }

  /** Continues in a new segment. */
  split(): void {
    if (this.#state === "recording") this.#slot.split();
  }

  /** Ends the stream: all accepted frames go into the files, then the files are closed. */
  end(): void {
    if (this.#state !== "recording") return;
    this.#state = "ending";
    if (this.#queue.length === 0 && !this.#isHeld) this.#slot.close();
  }

  /**
   * Ends the stream, and its owner's connection: frames that arrive from now on are dropped, so the device must not be told
   * later that all of them were received.
   */
  shutDown(): void {
    if (this.#state !== "recording") return;
    this.end();
    this.#owner.recordingFailed(new WavecacheError("SHUTTING_DOWN"));
  }

  started(segment: StartedSegment): void {
    const { name } = segment;
    this.#unfinished.set(name, this.#beginSpan(name));
    this.#host.addStarted(segment, this);
    this.#host.log.debug("a segment is open", { name, ...this.#identity() });
  }

  segment(segment: RecordingEntry): void {
    const { frames: frameCount, lostFrames: lostCount } = segment;
    this.#unfinished.get(segment.name)?.end({ "wavecache.frames": frameCount, "wavecache.lost": lostCount });
    this.#unfinished.delete(segment.name);
    this.unentered.complete(segment);
    this.#totals.segments += 1;
    this.#totals.frames += segment.frames;
    this.#totals.gaps += segment.gaps;
    this.#totals.lostFrames += segment.lostFrames;
    const { name, gaps, lostFrames } = segment;
    // Log once a segment: a device with a bad radio loses frames many times a second.
    if (gaps > 0)
      this.#host.log.warn("frames were lost on their way to the server", {
        name,
        gaps,
        lostFrames,
        ...this.#identity(),
      });
    this.#host.addSegment(segment, this);
  }

  ordered(decision: OrderDecision): void {
    this.#nibbleOrder = decision;
    this.#host.log.info("nibble order", { ...this.#identity(), order: decision.order, by: decision.by });
  }

  sound(news: SoundNews): void {
    this.#host.noteSound(this, news);
  }

  /** How many levels of 100 ms there were; undefined if it shows none. */
  get levelBlocks(): number | undefined {
    return this.#slot.levelBlocks;
  }

  /** The level of the last 100 ms; undefined if it shows none. */
  get level(): Level | undefined {
    return this.#slot.level;
  }

  written(audio: WrittenAudio): void {
    this.#looks.shift()?.(audio);
  }

  listening(past: PastAudio[]): void {
    this.live.acknowledge(past);
  }

  audio(pcm: Uint8Array, timeMs: number): void {
    this.live.push(pcm, timeMs);
  }

  skipped(bytes: number): void {
    this.#skippedBytes += bytes;
    this.live.skip(bytes);
    this.#host.countSkippedLive(bytes);
  }

  failed(error: WavecacheError): void {
    this.#host.log.error("a recording failed", { ...this.#identity(), code: error.code, error });
    if (this.#state === "failed") return;
    this.#fail(error);
    this.#slot.close();
  }

  lost(error: WavecacheError): void {
    if (this.#state !== "failed") this.#fail(error);
    this.closed();
  }

  closed(): void {
    this.#isOver = true;
    for (const resolve of this.#looks) resolve(nothingWritten);
    this.#looks = [];
    this.live.end();
    this.unentered.end();
    const nibbles = this.#nibbleOrder === undefined ? {} : { nibbles: this.#nibbleOrder.order };
    const skipped = this.#skippedBytes === 0 ? {} : { skippedLiveBytes: this.#skippedBytes };
    this.#host.log.info("a recording ended", {
      ...this.#identity(),
      ...this.#totals,
      ...nibbles,
      ...skipped,
    });
    for (const span of this.#unfinished.values()) span.end({}, new WavecacheError("STREAM_UNFINISHED"));
    this.#host.release(this, [...this.#unfinished.keys()]);
    this.#over.resolve();
  }

  room(): void {
    if (this.#isHeld) return;
    while (this.#queue.length > 0) {
      if (!this.#slot.write(this.#queue[0]!)) return;
      this.#queue.shift();
    }
    if (this.#state === "ending") this.#slot.close();
    else this.#owner.recordingHasRoom();
  }

  get account(): Account | undefined {
    return this.#owner.account;
  }

  #refusalOf(message: Uint8Array): WavecacheError | undefined {
    return this.#host.refuseWrite(this, this.unentered.sizeOf(message.length));
  }

  /** What was accepted before is kept. */
  #refuse(error: WavecacheError): true {
    this.end();
    this.#owner.recordingFailed(error);
    return true;
  }

  #fail(error: WavecacheError): void {
    this.#state = "failed";
    this.#queue = [];
    this.#owner.recordingFailed(error);
  }

  #beginSpan(name: string): Span {
    const { streamId, device, requestId } = this.#identity();
    const attributes = {
      "wavecache.recording": name,
      "wavecache.device": device ?? String(streamId),
      "wavecache.request": requestId,
    };
    return this.#host.tracer.start("recording segment", attributes, this.#owner.context?.traceParent);
  }

  #identity(): { streamId: number; device?: string; requestId: string | undefined } {
    const { streamId } = this.handshake;
    const requestId = this.#owner.context?.requestId;
    return { streamId, ...(this.hwid === null ? {} : { device: this.hwid }), requestId };
  }
}
