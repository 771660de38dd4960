/**
 * Schedules what one connection sends. Control messages go out at once. Audio is scheduled fairly between the channels
 * that have both audio and credit: each sends one quantum, a few messages, and then the next channel follows.
 *
 * As in fq_codel, a source that just got audio goes into the list of new sources, and a source that had its quantum into
 * the list of old ones. The two lists alternate: a short read does not wait behind many long ones, and sources that are
 * always new cannot starve the old ones. While the socket reports backpressure, no audio is scheduled.
 */
import type { WavecacheError } from "../../base/errors.ts";
import { readAheadBytes } from "../../base/limits/streams.ts";
import {
  connectionQuantumBytes,
  maxUnreadAnswerBytes,
  streamQuantumBytes,
  usualDataBytes,
} from "../../base/limits/v1.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { ReadSink } from "../../pool/reader.ts";
import type { Socket } from "../../listen/route.ts";
import { SendCredit } from "../../wire/v1/credit.ts";
import { dataHeadBytes, writeDataHead } from "../../wire/v1/data.ts";
import { encodeMessage } from "../../wire/v1/encode.ts";
import type { ServerMessage } from "../../wire/v1/messages.ts";

/** The audio that one channel sends. */
export interface AudioSource {
  readonly channel: number;
  readonly credit: SendCredit;
  /** Offset of the next byte in the stream. */
  readonly offset: number;
  /** Contiguous bytes from `offset` that can be sent now. */
  readonly availableBytes: number;
  /** The next bytes if they are in memory. The scheduler sends the view before it returns. */
  peek(bytes: number): Uint8Array | undefined;
  /** Reads the next bytes; they arrive later, as one part. */
  fetch(bytes: number, sink: ReadSink): void;
  /** The next bytes are sent. */
  advance(bytes: number): void;
  /** `fetch` failed. */
  failed(error: WavecacheError): void;
}

export interface SendSchedulerOwner {
  /** The peer does not read: too much is queued for it. */
  stalled(): void;
}

/** DATA messages are assembled here. Reuse is safe: `send` copies what the kernel does not accept at once. */
const message = new Uint8Array(dataHeadBytes + usualDataBytes);
const payload = message.subarray(dataHeadBytes);

export class SendScheduler {
  readonly #socket: Socket;
  readonly #budget: OutboundBudget;
  readonly #owner: SendSchedulerOwner;
  #credit = new SendCredit(0);
  #maxDataBytes = usualDataBytes;
  #quantumBytes = streamQuantumBytes;
  /** Sources with audio and credit that had no quantum since they were last without audio. */
  readonly #newSources = new Set<AudioSource>();
  /** Sources with audio and credit that had a quantum. */
  readonly #oldSources = new Set<AudioSource>();
  #isNewNext = true;
  /** Sources with a read in flight. */
  readonly #reading = new Set<AudioSource>();
  #readingBytes = 0;
  /** Audio in the socket's buffer, because the peer has not read it. */
  #queuedBytes = 0;
  #isBlocked = false;
  #isYielding = false;
  #isOver = false;
  /** A send sets this; the keepalive resets it. */
  hasSent = false;

  constructor(socket: Socket, budget: OutboundBudget, owner: SendSchedulerOwner) {
    this.#socket = socket;
    this.#budget = budget;
    this.#owner = owner;
  }

  /** Starts with what the peer's HELLO grants: the connection's credit, and the longest payload. */
  begin(connectionCredit: number, maxDataBytes: number): void {
    this.#credit = new SendCredit(connectionCredit);
    this.#maxDataBytes = Math.min(maxDataBytes, usualDataBytes);
    // A peer that wants short quanta sends a small maximum. A quantum is at least one message, and only whole ones.
    const messages = Math.floor(Math.min(maxDataBytes, streamQuantumBytes) / this.#maxDataBytes);
    this.#quantumBytes = messages * this.#maxDataBytes;
  }

  /** Backpressure: only short messages may go out until the socket drains. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  send(answer: ServerMessage): void {
    if (!this.#isOver) this.#put(encodeMessage(answer));
  }

  /** Adds credit of the connection; false if the sum exceeds the protocol's maximum. */
  grant(bytes: number): boolean {
    if (!this.#credit.grant(bytes)) return false;
    this.#pump();
    return true;
  }

  /** Schedules a source that got audio (`isNew`), or only credit for audio that it already had. */
  wake(source: AudioSource, isNew: boolean): void {
    if (this.#reading.has(source) || this.#newSources.has(source) || this.#oldSources.has(source)) return;
    if (source.availableBytes === 0 || source.credit.bytes === 0) return;
    (isNew ? this.#newSources : this.#oldSources).add(source);
    this.#pump();
  }

  /** Sends nothing more of the source. */
  remove(source: AudioSource): void {
    this.#newSources.delete(source);
    this.#oldSources.delete(source);
    this.#reading.delete(source);
  }

  /** The peer reads again. */
  drained(): void {
    const stillQueued = Math.min(this.#queuedBytes, this.#socket.bufferedBytes());
    const drainedBytes = this.#queuedBytes - stillQueued;
    this.#queuedBytes = stillQueued;
    this.#isBlocked = stillQueued > readAheadBytes / 2;
    this.#budget.release(drainedBytes);
    this.#pump();
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#newSources.clear();
    this.#oldSources.clear();
    this.#reading.clear();
    this.#budget.forget(this.#pump);
    this.#budget.release(this.#readingBytes + this.#queuedBytes);
  }

  readonly #pump = (): void => {
    if (this.#isYielding) return;
    let bytes = 0;
    while (!this.#isOver && !this.#isBlocked && this.#credit.bytes > 0) {
      // One connection must not keep the event loop from the others.
      if (bytes >= connectionQuantumBytes) return this.#yield();
      const source = this.#next();
      if (source === undefined) return;
      const length = this.#lengthFor(source);
      if (!this.#reserveBytes(length)) return;
      this.#isNewNext = !this.#newSources.delete(source);
      this.#oldSources.delete(source);
      this.#start(source, length);
      bytes += length;
    }
  };

  #yield(): void {
    this.#isYielding = true;
    setImmediate(() => {
      this.#isYielding = false;
      this.#pump();
    });
  }

  #next(): AudioSource | undefined {
    const [first, second] = this.#isNewNext
      ? [this.#newSources, this.#oldSources]
      : [this.#oldSources, this.#newSources];
    for (const source of first) return source;
    for (const source of second) return source;
    return undefined;
  }

  /** At least 1: only sources with audio and credit are scheduled, and nothing but their quantum uses either. */
  #lengthFor(source: AudioSource): number {
    return Math.min(this.#quantumBytes, source.availableBytes, source.credit.bytes, this.#credit.bytes);
  }

  #reserveBytes(length: number): boolean {
    if (this.#readingBytes > 0 && this.#readingBytes + length > readAheadBytes) return false;
    return this.#budget.take(length, this.#pump);
  }

  /** Spends the credit, then sends the audio, or reads it first if it is not in memory. */
  #start(source: AudioSource, length: number): void {
    source.credit.spend(length);
    this.#credit.spend(length);
    const audio = source.peek(length);
    if (audio !== undefined) return this.#deliver(source, audio);
    this.#reading.add(source);
    this.#readingBytes += length;
    source.fetch(length, {
      part: (read) => {
        if (!this.#endReading(source, length)) return;
        this.#deliver(source, read);
        this.#pump();
      },
      failed: (error) => {
        if (!this.#endReading(source, length)) return;
        this.#budget.release(length);
        this.#unspend(source, length);
        source.failed(error);
        this.#pump();
      },
    });
  }

  /** False if the source or the connection is gone: the audio is dropped and its credit returned. */
  #endReading(source: AudioSource, length: number): boolean {
    if (this.#isOver) return false;
    this.#readingBytes -= length;
    if (this.#reading.delete(source)) return true;
    this.#budget.release(length);
    this.#unspend(source, length);
    this.#pump();
    return false;
  }

  #unspend(source: AudioSource, length: number): void {
    source.credit.grant(length);
    this.#credit.grant(length);
  }

  /** Sends the audio of one quantum. */
  #deliver(source: AudioSource, audio: Uint8Array): void {
    for (let at = 0; at < audio.length; at += this.#maxDataBytes) {
      const piece = audio.subarray(at, at + this.#maxDataBytes);
      if (this.#isOver) this.#budget.release(piece.length);
      else this.#sendData(source.channel, source.offset + at, piece);
    }
    if (this.#isOver) return;
    source.advance(audio.length);
    if (source.availableBytes > 0 && source.credit.bytes > 0) this.#oldSources.add(source);
  }

  #sendData(channel: number, offset: number, audio: Uint8Array): void {
    const { length } = audio;
    payload.set(audio);
    const isFull = length === payload.length;
    const crc = Bun.hash.crc32(isFull ? payload : payload.subarray(0, length));
    writeDataHead(message, 0, channel, offset, crc, length);
    const outcome = this.#put(isFull ? message : message.subarray(0, dataHeadBytes + length));
    if (outcome === "queued" && !this.#isOver) this.#queuedBytes += length;
    else this.#budget.release(length);
  }

  #put(bytes: Uint8Array): "sent" | "queued" | "dropped" {
    const outcome = this.#socket.send(bytes);
    this.hasSent = true;
    if (outcome === "queued") this.#isBlocked = true;
    const isStalled =
      outcome === "dropped" ||
      (outcome === "queued" && this.#socket.bufferedBytes() - this.#queuedBytes > maxUnreadAnswerBytes);
    if (isStalled && !this.#isOver) this.#owner.stalled();
    return outcome;
  }
}
