/**
 * What goes out on one connection. Messages go at once. Audio goes by turns: a few messages of each channel that has both
 * audio and credit, then the next one's; a channel that has just begun to have audio comes next, but never twice before
 * one of those that wait for longer. No more is put into the socket than it takes at once.
 */
import type { WavecacheError } from "../../base/errors.ts";
import { readAheadBytes } from "../../base/limits/streams.ts";
import {
  connectionTurnBytes,
  maxUnreadAnswerBytes,
  streamTurnBytes,
  usualDataBytes,
} from "../../base/limits/v1.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { ReadSink } from "../../pool/readers.ts";
import type { Socket } from "../../listen/route.ts";
import { SendCredit } from "../../wire/v1/credit.ts";
import { dataHeadBytes, writeDataHead } from "../../wire/v1/data.ts";
import { encodeMessage } from "../../wire/v1/encode.ts";
import type { ServerMessage } from "../../wire/v1/messages.ts";

/** The audio that one channel has to send. */
export interface Source {
  readonly channel: number;
  readonly credit: SendCredit;
  /** Where the next byte stands, and how many follow one another from there and could be sent now. */
  readonly offset: number;
  readonly availableBytes: number;
  /** The next bytes, if they can be had without a wait. The view is sent at once. */
  peek(bytes: number): Uint8Array | undefined;
  /** The next bytes, later, as one part. */
  fetch(bytes: number, sink: ReadSink): void;
  /** The next bytes are sent. */
  advance(bytes: number): void;
  /** They could not be had. */
  failed(error: WavecacheError): void;
}

export interface SendSchedulerOwner {
  /** The peer does not take what it is sent. */
  stalled(): void;
}

/** A DATA message is put together here; a send copies what the system does not take at once. */
const message = new Uint8Array(dataHeadBytes + usualDataBytes);
const payload = message.subarray(dataHeadBytes);

export class SendScheduler {
  readonly #socket: Socket;
  readonly #budget: OutboundBudget;
  readonly #owner: SendSchedulerOwner;
  #credit = new SendCredit(0);
  #maxDataBytes = usualDataBytes;
  #turnBytes = streamTurnBytes;
  /** Sources that wait for their turn: those that were without audio, and those that have had a turn. */
  readonly #fresh = new Set<Source>();
  readonly #round = new Set<Source>();
  #freshIsNext = true;
  /** Sources whose next audio is being read. */
  readonly #reading = new Set<Source>();
  #readingBytes = 0;
  /** Audio that the socket holds because the peer does not take it. */
  #queuedBytes = 0;
  #isBlocked = false;
  #isResting = false;
  #isOver = false;
  /** Whether anything was sent since this was last set to false. */
  hasSent = false;

  constructor(socket: Socket, budget: OutboundBudget, owner: SendSchedulerOwner) {
    this.#socket = socket;
    this.#budget = budget;
    this.#owner = owner;
  }

  /** What the peer takes: credit of the connection to begin with, and the longest payload. */
  begin(connectionCredit: number, maxDataBytes: number): void {
    this.#credit = new SendCredit(connectionCredit);
    this.#maxDataBytes = Math.min(maxDataBytes, usualDataBytes);
    // Whoever wants short turns says so by a small number; whole messages, and one at least.
    const messages = Math.floor(Math.min(maxDataBytes, streamTurnBytes) / this.#maxDataBytes);
    this.#turnBytes = messages * this.#maxDataBytes;
  }

  /** The peer has messages to take before it gets more than short ones. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  send(answer: ServerMessage): void {
    if (!this.#isOver) this.#put(encodeMessage(answer));
  }

  /** More credit of the connection; false if it is more than there may be. */
  grant(bytes: number): boolean {
    if (!this.#credit.grant(bytes)) return false;
    this.#pump();
    return true;
  }

  /** The source has audio to send now, or, not `fresh`, credit for what it had. */
  wake(source: Source, fresh: boolean): void {
    if (this.#reading.has(source) || this.#fresh.has(source) || this.#round.has(source)) return;
    if (source.availableBytes === 0 || source.credit.bytes === 0) return;
    (fresh ? this.#fresh : this.#round).add(source);
    this.#pump();
  }

  /** Nothing of the source is sent any more. */
  remove(source: Source): void {
    this.#fresh.delete(source);
    this.#round.delete(source);
    this.#reading.delete(source);
  }

  /** The peer takes messages again. */
  drained(): void {
    const stillQueued = Math.min(this.#queuedBytes, this.#socket.bufferedBytes());
    const taken = this.#queuedBytes - stillQueued;
    this.#queuedBytes = stillQueued;
    this.#isBlocked = stillQueued > readAheadBytes / 2;
    this.#budget.release(taken);
    this.#pump();
  }

  /** The connection is over. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#fresh.clear();
    this.#round.clear();
    this.#reading.clear();
    this.#budget.forget(this.#pump);
    this.#budget.release(this.#readingBytes + this.#queuedBytes);
  }

  readonly #pump = (): void => {
    if (this.#isResting) return;
    let bytes = 0;
    while (!this.#isOver && !this.#isBlocked && this.#credit.bytes > 0) {
      // Other connections have their turn too.
      if (bytes >= connectionTurnBytes) return this.#rest();
      const source = this.#first();
      if (source === undefined) return;
      const length = this.#lengthFor(source);
      if (!this.#takeRoom(length)) return;
      this.#freshIsNext = !this.#fresh.delete(source);
      this.#round.delete(source);
      this.#start(source, length);
      bytes += length;
    }
  };

  #rest(): void {
    this.#isResting = true;
    setImmediate(() => {
      this.#isResting = false;
      this.#pump();
    });
  }

  #first(): Source | undefined {
    const [sooner, later] = this.#freshIsNext ? [this.#fresh, this.#round] : [this.#round, this.#fresh];
    for (const source of sooner) return source;
    for (const source of later) return source;
    return undefined;
  }

  /** At least 1: sources wait here only with audio and credit, and nothing but their turn takes either. */
  #lengthFor(source: Source): number {
    return Math.min(this.#turnBytes, source.availableBytes, source.credit.bytes, this.#credit.bytes);
  }

  #takeRoom(length: number): boolean {
    if (this.#readingBytes > 0 && this.#readingBytes + length > readAheadBytes) return false;
    return this.#budget.take(length, this.#pump);
  }

  /** Sends so much of a source, or has it read; the credit is spent here. */
  #start(source: Source, length: number): void {
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

  /** False if nobody wants what was read any more. */
  #endReading(source: Source, length: number): boolean {
    if (this.#isOver) return false;
    this.#readingBytes -= length;
    if (this.#reading.delete(source)) return true;
    this.#budget.release(length);
    this.#unspend(source, length);
    this.#pump();
    return false;
  }

  #unspend(source: Source, length: number): void {
    source.credit.grant(length);
    this.#credit.grant(length);
  }

  /** Sends the audio of a turn. */
  #deliver(source: Source, audio: Uint8Array): void {
    for (let at = 0; at < audio.length; at += this.#maxDataBytes) {
      const piece = audio.subarray(at, at + this.#maxDataBytes);
      if (this.#isOver) this.#budget.release(piece.length);
      else this.#sendData(source.channel, source.offset + at, piece);
    }
    if (this.#isOver) return;
    source.advance(audio.length);
    if (source.availableBytes > 0 && source.credit.bytes > 0) this.#round.add(source);
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
