/**
 * The answers of one connection, in the order of its requests.
 *
 * A request takes its place when it comes; its answer is sent when it is known and everything before it has been
 * sent. A read is started only when all before it are reads under way or answers that are known, because its audio
 * lies in memory that all connections share and must be sent as soon as it comes. Reads under way are bounded by
 * their bytes, and while the peer does not read none is started.
 */
import type { WavecacheError } from "../../base/errors.ts";
import { maxWaitingRequests, maxWaitingRequestsPaused } from "../../base/limits/connections.ts";
import { readAheadBytes } from "../../base/limits/streams.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { FileRef, ReadSink } from "../../pool/readers.ts";
import type { Socket } from "../../listen/route.ts";

/** Bytes of a file, at least 1. */
export interface Range {
  file: FileRef;
  offset: number;
  length: number;
}

/** What a read comes to: audio of a file, an empty frame, or a text. */
export type ReadPlan = Range | "empty" | { text: string };

/** A request that is answered with audio. */
export interface ReadRequest {
  /** Says what the answer is, once it is this request's turn. Rejects with an error that `explain` words. */
  plan(): ReadPlan | Promise<ReadPlan>;
  explain(error: unknown): string;
}

/** Reads audio of files, answering in the order of the calls, and never before a call has returned. */
export interface RangeReader {
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
  /** The range at once, if that takes no disk. The view must be sent before anything else is awaited. */
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined;
}

/** The place of a request whose answer is a text. */
export interface TextPlace {
  fill(text: string): void;
}

export interface AnswersOwner {
  /** So many requests wait that the peer should be paused, or no longer so many. */
  requestsWaiting(tooMany: boolean): void;
  /** The peer must go: it cannot be answered any more. */
  answersFailed(code: "REQUESTS_EXHAUSTED" | "PEER_STALLED"): void;
}

export class Answers {
  readonly #socket: Socket;
  readonly #reader: RangeReader;
  readonly #outbound: OutboundBudget;
  readonly #owner: AnswersOwner;
  readonly #places: Place[] = [];
  /** Places at the head that need nothing started any more. */
  #started = 0;
  /** Bytes of reads under way, and of what the socket holds because the peer does not take it. */
  #readingBytes = 0;
  #queuedBytes = 0;
  #blocked = false;
  #tooMany = false;
  #over = false;

  constructor(socket: Socket, reader: RangeReader, outbound: OutboundBudget, owner: AnswersOwner) {
    this.#socket = socket;
    this.#reader = reader;
    this.#outbound = outbound;
    this.#owner = owner;
  }

  /** A place for a text that is known later. */
  reserveText(): TextPlace {
    const place = new Place();
    this.#add(place);
    return {
      fill: (text) => {
        place.answer = text;
        this.#advance();
      },
    };
  }

  text(text: string): void {
    this.reserveText().fill(text);
  }

  read(request: ReadRequest): void {
    const place = new Place();
    place.request = request;
    this.#add(place);
    this.#advance();
  }

  /** The peer takes answers again. */
  drained(): void {
    const stillQueued = Math.min(this.#queuedBytes, this.#socket.bufferedBytes());
    const taken = this.#queuedBytes - stillQueued;
    this.#queuedBytes = stillQueued;
    this.#blocked = stillQueued > readAheadBytes / 2;
    this.#outbound.release(taken);
    this.#advance();
  }

  /** The connection is gone; what still comes is thrown away. */
  close(): void {
    this.#over = true;
    this.#places.length = 0;
    this.#outbound.forget(this.#wake);
    this.#outbound.release(this.#readingBytes + this.#queuedBytes);
  }

  #add(place: Place): void {
    if (this.#over) return;
    this.#places.push(place);
    if (this.#places.length > maxWaitingRequestsPaused) this.#owner.answersFailed("REQUESTS_EXHAUSTED");
  }

  readonly #wake = (): void => this.#advance();

  #advance(): void {
    if (!this.#blocked) this.#sendKnown();
    while (!this.#over && !this.#blocked && this.#step());
    this.#reportWaiting();
  }

  #reportWaiting(): void {
    const tooMany = this.#places.length >= (this.#tooMany ? maxWaitingRequests / 2 : maxWaitingRequests);
    if (tooMany === this.#tooMany || this.#over) return;
    this.#tooMany = tooMany;
    this.#owner.requestsWaiting(tooMany);
  }

  /** Sends what is known at the head. */
  #sendKnown(): void {
    while (!this.#over && this.#places.length > 0 && this.#places[0]!.answer !== undefined) {
      this.#send(this.#shift().answer!);
    }
  }

  #shift(): Place {
    if (this.#started > 0) this.#started -= 1;
    return this.#places.shift()!;
  }

  /** Sends an answer for which `bytes` of the budget were taken. */
  #send(answer: string | Uint8Array, bytes = 0): void {
    const outcome = this.#socket.send(answer);
    if (outcome === "dropped") this.#owner.answersFailed("PEER_STALLED");
    if (outcome === "queued") this.#blocked = true;
    if (this.#blocked && !this.#over) this.#queuedBytes += bytes;
    else this.#outbound.release(bytes);
  }

  /**
   * Takes up the first place that nothing was done for: sends its answer, if it is the head and that can be had at
   * once, or starts its read. Returns false if it has to wait.
   */
  #step(): boolean {
    const place = this.#places[this.#started];
    if (place === undefined) return false;
    const range = place.answer === undefined ? this.#settle(place) : undefined;
    if (range === undefined && place.answer === undefined) return false;
    if (range !== undefined && !this.#takeRoom(range.length)) return false;
    if (this.#started === 0) {
      const now = range === undefined ? place.answer : this.#residentAudio(range);
      if (now !== undefined) {
        this.#places.shift();
        this.#send(now, range?.length);
        return true;
      }
    }
    if (range !== undefined) this.#read(place, range);
    this.#started += 1;
    return true;
  }

  /** Plans a read; gives the range it comes to, or sets the answer, or neither as long as that is not known. */
  #settle(place: Place): Range | undefined {
    if (place.request === undefined || place.planning) return undefined;
    place.plan ??= this.#plan(place, place.request);
    const plan = place.plan;
    if (plan === undefined) return undefined;
    if (typeof plan === "string") place.answer = nothing;
    else if ("text" in plan) place.answer = plan.text;
    else return plan;
    return undefined;
  }

  #takeRoom(length: number): boolean {
    if (this.#readingBytes > 0 && this.#readingBytes + length > readAheadBytes) return false;
    return this.#outbound.take(length, this.#wake);
  }

  #residentAudio({ file, offset, length }: Range): Uint8Array | undefined {
    return this.#reader.resident(file, offset, length);
  }

  #plan(place: Place, request: ReadRequest): ReadPlan | undefined {
    try {
      const plan = request.plan();
      if (!(plan instanceof Promise)) return plan;
      place.planning = true;
      void this.#planLater(place, request, plan);
      return undefined;
    } catch (error) {
      return { text: request.explain(error) };
    }
  }

  async #planLater(place: Place, request: ReadRequest, plan: Promise<ReadPlan>): Promise<void> {
    try {
      place.plan = await plan;
    } catch (error) {
      place.plan = { text: request.explain(error) };
    }
    place.planning = false;
    this.#advance();
  }

  #read(place: Place, { file, offset, length }: Range): void {
    this.#readingBytes += length;
    this.#reader.read(file, offset, length, {
      part: (audio, last) => this.#takePart(place, length, audio, last),
      failed: (error) => this.#takeFailure(place, length, error),
    });
  }

  #takePart(place: Place, length: number, audio: Uint8Array, last: boolean): void {
    if (this.#over) return;
    if (!last || place.filledBytes > 0) {
      place.assembled ??= new Uint8Array(length);
      place.assembled.set(audio, place.filledBytes);
      place.filledBytes += audio.length;
    }
    if (!last) return;
    this.#readingBytes -= length;
    // Answers before this one may have been held back for a peer that does not read; the order comes first.
    this.#sendKnown();
    this.#shift();
    this.#send(place.assembled ?? audio, length);
    this.#advance();
  }

  #takeFailure(place: Place, length: number, error: WavecacheError): void {
    if (this.#over) return;
    this.#readingBytes -= length;
    this.#outbound.release(length);
    place.answer = place.request!.explain(error);
    this.#advance();
  }
}

const nothing = new Uint8Array(0);

/** A request's place. `answer` is set once it is known and not yet sent. */
class Place {
  answer: string | Uint8Array | undefined;
  request: ReadRequest | undefined;
  plan: ReadPlan | undefined;
  planning = false;
  /** An answer that came in several parts, and how much of it is there. */
  assembled: Uint8Array | undefined;
  filledBytes = 0;
}
