/**
 * The answers of one connection, in the order of its requests.
 *
 * Each request reserves a slot when it arrives. An answer goes out once it is known and every slot before it is sent.
 * The audio of a read lies in memory that all connections share, so it must go out as soon as it arrives. A read
 * therefore starts only when every slot before it has a known answer or a read in flight. The bytes of reads in flight
 * are limited, and no read starts while the peer does not read.
 */
import type { WavecacheError } from "../../base/errors.ts";
import { maxWaitingRequests, maxWaitingRequestsPaused } from "../../base/limits/connections.ts";
import { readAheadBytes } from "../../base/limits/streams.ts";
import type { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import type { Socket } from "../../listen/route.ts";

/** At least 1 byte of a file. */
export interface Range {
  file: FileRef;
  offset: number;
  length: number;
}

/** The answer to a read: audio of a file, an empty frame, or a text. */
export type ReadPlan = Range | "empty" | { text: string };

/** Decides the answer to a read when its turn comes. */
export interface Planner<Request> {
  /** Throws or rejects with an error for `explain`. */
  plan(request: Request): ReadPlan | Promise<ReadPlan>;
  /** The text that answers a read that failed. */
  explain(request: Request, error: unknown): string;
}

/** Reads file ranges. Results come in the order of the calls, and never before `read` returns. */
export interface RangeReader {
  read(file: FileRef, offset: number, length: number, sink: ReadSink): void;
  /** The range if it is in memory. Send the view before the next await: the file may be unmapped after it. */
  resident(file: FileRef, offset: number, length: number): Uint8Array | undefined;
}

/** The slot of a request that is answered with a text. */
export interface TextSlot {
  fill(text: string): void;
}

/** The connection, as far as its answers control it. */
export interface AnswerControl {
  pauseRequests(isPaused: boolean): void;
  /** Ends the connection: its answers cannot be delivered. */
  fail(code: "REQUESTS_EXHAUSTED" | "PEER_STALLED"): void;
}

export class Answers<Request> {
  readonly #socket: Socket;
  readonly #reader: RangeReader;
  readonly #planner: Planner<Request>;
  readonly #outbound: OutboundBudget;
  readonly #control: AnswerControl;
  readonly #slots: Slot<Request>[] = [];
  /** Slots at the head that have a known answer or a read in flight. */
  #started = 0;
  #inFlightBytes = 0;
  /** Audio in the socket's buffer, because the peer has not read it. */
  #queuedBytes = 0;
  #isBlocked = false;
  #isPaused = false;
  #isOver = false;

  constructor(
    socket: Socket,
    reader: RangeReader,
    planner: Planner<Request>,
    outbound: OutboundBudget,
    control: AnswerControl,
  ) {
    this.#socket = socket;
    this.#reader = reader;
    this.#planner = planner;
    this.#outbound = outbound;
    this.#control = control;
  }

  /** Reserves a slot for a text that is known later. */
  reserveText(): TextSlot {
    const slot = new Slot<Request>(undefined);
    this.#add(slot);
    return {
      fill: (text) => {
        slot.answer = text;
        this.#advance();
      },
    };
  }

  text(text: string): void {
    this.reserveText().fill(text);
  }

  read(request: Request): void {
    this.#add(new Slot(request));
    this.#advance();
  }

  /** The peer reads again. */
  drained(): void {
    const stillQueued = Math.min(this.#queuedBytes, this.#socket.bufferedBytes());
    const drainedBytes = this.#queuedBytes - stillQueued;
    this.#queuedBytes = stillQueued;
    this.#isBlocked = stillQueued > readAheadBytes / 2;
    this.#outbound.release(drainedBytes);
    this.#advance();
  }

  /** The connection is gone: drops every answer, also of reads in flight. */
  close(): void {
    this.#isOver = true;
    this.#slots.length = 0;
    this.#outbound.forget(this.#wake);
    this.#outbound.release(this.#inFlightBytes + this.#queuedBytes);
  }

  #add(slot: Slot<Request>): void {
    if (this.#isOver) return;
    this.#slots.push(slot);
    if (this.#slots.length > maxWaitingRequestsPaused) this.#control.fail("REQUESTS_EXHAUSTED");
  }

  readonly #wake = (): void => this.#advance();

  #advance(): void {
    if (!this.#isBlocked) this.#sendKnown();
    while (!this.#isOver && !this.#isBlocked && this.#startNext());
    this.#updatePause();
  }

  /** Pauses at the limit and resumes at half of it, so that the socket does not flip between the two. */
  #updatePause(): void {
    const limit = this.#isPaused ? maxWaitingRequests / 2 : maxWaitingRequests;
    const isPaused = this.#slots.length >= limit;
    if (isPaused === this.#isPaused || this.#isOver) return;
    this.#isPaused = isPaused;
    this.#control.pauseRequests(isPaused);
  }

  /** Sends the known answers at the head. */
  #sendKnown(): void {
    while (!this.#isOver && this.#slots.length > 0 && this.#slots[0]!.answer !== undefined) {
      this.#send(this.#shift().answer!);
    }
  }

  #shift(): Slot<Request> {
    if (this.#started > 0) this.#started -= 1;
    return this.#slots.shift()!;
  }

  /** Sends an answer that holds `bytes` of the outbound budget. */
  #send(answer: string | Uint8Array, bytes = 0): void {
    const outcome = this.#socket.send(answer);
    if (outcome === "dropped") this.#control.fail("PEER_STALLED");
    if (outcome === "queued") this.#isBlocked = true;
    if (this.#isBlocked && !this.#isOver) this.#queuedBytes += bytes;
    else this.#outbound.release(bytes);
  }

  /**
   * Starts the first slot that is not started: sends its answer if the slot is the head and the answer is in memory,
   * or else starts its read. False if the slot has to wait.
   */
  #startNext(): boolean {
    const slot = this.#slots[this.#started];
    if (slot === undefined) return false;
    const range = slot.answer === undefined ? this.#resolvePlan(slot) : undefined;
    if (range === undefined && slot.answer === undefined) return false;
    if (range !== undefined && !this.#reserveBytes(range.length)) return false;
    if (this.#started === 0) {
      const now = range === undefined ? slot.answer : this.#residentAudio(range);
      if (now !== undefined) {
        this.#slots.shift();
        this.#send(now, range?.length);
        return true;
      }
    }
    if (range !== undefined) this.#read(slot, range);
    this.#started += 1;
    return true;
  }

  /** Plans the slot's read. Returns the range to read, or sets the answer; does neither while the plan is pending. */
  #resolvePlan(slot: Slot<Request>): Range | undefined {
    if (slot.request === undefined || slot.isPlanning) return undefined;
    slot.plan ??= this.#plan(slot, slot.request);
    const { plan } = slot;
    if (plan === undefined) return undefined;
    if (typeof plan === "string") slot.answer = emptyFrame;
    else if ("text" in plan) slot.answer = plan.text;
    else return plan;
    return undefined;
  }

  #reserveBytes(length: number): boolean {
    if (this.#inFlightBytes > 0 && this.#inFlightBytes + length > readAheadBytes) return false;
    return this.#outbound.take(length, this.#wake);
  }

  #residentAudio({ file, offset, length }: Range): Uint8Array | undefined {
    return this.#reader.resident(file, offset, length);
  }

  #plan(slot: Slot<Request>, request: Request): ReadPlan | undefined {
    try {
      const plan = this.#planner.plan(request);
      if (!(plan instanceof Promise)) return plan;
      slot.isPlanning = true;
      void this.#awaitPlan(slot, request, plan);
      return undefined;
    } catch (error) {
      return { text: this.#planner.explain(request, error) };
    }
  }

  async #awaitPlan(slot: Slot<Request>, request: Request, plan: Promise<ReadPlan>): Promise<void> {
    try {
      slot.plan = await plan;
    } catch (error) {
      slot.plan = { text: this.#planner.explain(request, error) };
    }
    slot.isPlanning = false;
    this.#advance();
  }

  #read(slot: Slot<Request>, { file, offset, length }: Range): void {
    this.#inFlightBytes += length;
    this.#reader.read(file, offset, length, {
      part: (audio, last) => this.#receivePart(slot, length, audio, last),
      failed: (error) => this.#failRead(slot, length, error),
    });
  }

  #receivePart(slot: Slot<Request>, length: number, audio: Uint8Array, isLast: boolean): void {
    if (this.#isOver) return;
    if (!isLast || slot.assembledBytes > 0) {
      slot.assembled ??= new Uint8Array(length);
      slot.assembled.set(audio, slot.assembledBytes);
      slot.assembledBytes += audio.length;
    }
    if (!isLast) return;
    this.#inFlightBytes -= length;
    // While the peer does not read, known answers before this one stay unsent. They must go out first.
    this.#sendKnown();
    this.#shift();
    this.#send(slot.assembled ?? audio, length);
    this.#advance();
  }

  #failRead(slot: Slot<Request>, length: number, error: WavecacheError): void {
    if (this.#isOver) return;
    this.#inFlightBytes -= length;
    this.#outbound.release(length);
    slot.answer = this.#planner.explain(slot.request!, error);
    this.#advance();
  }
}

const emptyFrame = new Uint8Array(0);

/** The place of one request in the order of answers. */
class Slot<Request> {
  /** Set while the answer is known and not sent. */
  answer: string | Uint8Array | undefined;
  /** Set for a read. */
  readonly request: Request | undefined;
  plan: ReadPlan | undefined;
  isPlanning = false;
  /** The buffer of an answer that arrives in several parts. */
  assembled: Uint8Array | undefined;
  assembledBytes = 0;

  constructor(request: Request | undefined) {
    this.request = request;
  }
}
