/**
 * Fans out the live audio of one recording. The writer sends audio only while there are listeners. A listener that joins
 * others starts with the most recent audio.
 */
import type { WavecacheError } from "../../base/errors.ts";
import type { ListenMode, PastAudio } from "../../lane/messages/recordings.ts";

/** Receives PCM16, interleaved, in whole sample frames. */
export interface LiveListener {
  /** All listeners share the bytes: never change them. The time is of the first sample, in ms since 1970. */
  push(pcm: Uint8Array, timeMs: number): void;
  /** This much audio is missing before the next push: the writer had no room for it. */
  skip?(bytes: number): void;
  /** The recording has ended, or cannot be heard any more. */
  end(error?: WavecacheError): void;
}

/** A listener that reads the audio before its first push from the files. */
export interface PastListener extends LiveListener {
  /** The audio that is pushed from now on follows the samples of these files, oldest first. */
  start(past: PastAudio[]): void;
}

interface Piece {
  pcm: Uint8Array;
  timeMs: number;
}

export class LiveFeed {
  readonly #request: (mode: ListenMode) => void;
  readonly #historyBytes: number;
  /** Each with the number of the request whose acknowledgement its audio follows. */
  readonly #listeners = new Map<LiveListener, number>();
  readonly #starting = new Map<number, PastListener>();
  /** The newest audio: at least `historyBytes`, once that much has arrived. */
  #recent: Piece[] = [];
  #recentBytes = 0;
  /** Requests to start that were made, and those that the writer has acknowledged. */
  #requests = 0;
  #acknowledged = 0;
  /** The request that ended the time without listeners; audio before its acknowledgement is for those who have left. */
  #firstRequest = 0;
  #isOver = false;

  /** `request` starts and stops the writer's audio. */
  constructor(historyBytes: number, request: (mode: ListenMode) => void) {
    this.#historyBytes = historyBytes;
    this.#request = request;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  add(listener: LiveListener): void {
    if (this.#isOver) return listener.end();
    for (const { pcm, timeMs } of this.#recent) listener.push(pcm, timeMs);
    if (this.#listeners.size === 0) this.#firstRequest = this.#start("recent");
    this.#listeners.set(listener, this.#firstRequest);
  }

  addAfterFiles(listener: PastListener): void {
    if (this.#isOver) return listener.end();
    const request = this.#start("afterFiles");
    if (this.#listeners.size === 0) this.#firstRequest = request;
    this.#listeners.set(listener, request);
    this.#starting.set(request, listener);
  }

  remove(listener: LiveListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0 || this.#isOver) return;
    this.#recent = [];
    this.#recentBytes = 0;
    this.#request("off");
  }

  /** The writer acknowledges one request: the audio that follows belongs to it. */
  acknowledge(past: PastAudio[]): void {
    this.#acknowledged += 1;
    const listener = this.#starting.get(this.#acknowledged);
    this.#starting.delete(this.#acknowledged);
    if (listener !== undefined && this.#listeners.get(listener) === this.#acknowledged) listener.start(past);
  }

  /** Passes on new audio. The view is valid until this returns. */
  push(view: Uint8Array, timeMs: number): void {
    if (this.#isIdle) return;
    const pcm = view.slice();
    this.#keep({ pcm, timeMs });
    for (const [listener, request] of this.#listeners) {
      if (request <= this.#acknowledged) listener.push(pcm, timeMs);
    }
  }

  /** The writer has skipped audio. */
  skip(bytes: number): void {
    if (this.#isIdle) return;
    for (const [listener, request] of this.#listeners) {
      if (request <= this.#acknowledged) listener.skip?.(bytes);
    }
  }

  end(error?: WavecacheError): void {
    this.#isOver = true;
    for (const listener of this.#listeners.keys()) listener.end(error);
    this.#listeners.clear();
    this.#starting.clear();
    this.#recent = [];
  }

  get #isIdle(): boolean {
    return this.#listeners.size === 0 || this.#acknowledged < this.#firstRequest;
  }

  #start(mode: ListenMode): number {
    this.#request(mode);
    return ++this.#requests;
  }

  #keep(piece: Piece): void {
    this.#recent.push(piece);
    this.#recentBytes += piece.pcm.length;
    while (this.#recentBytes - this.#recent[0]!.pcm.length >= this.#historyBytes) {
      this.#recentBytes -= this.#recent.shift()!.pcm.length;
    }
  }
}
