/**
 * The live audio of one recording on its way to its listeners. The writer sends audio only while there are any; who
 * comes later than the first begins with what was last, too.
 */

/** Takes PCM16, interleaved, in whole sample frames. */
export interface LiveListener {
  /** The bytes do not change any more; all listeners get the same. */
  audio(pcm: Uint8Array): void;
  /** The recording has ended. */
  ended(): void;
}

export class LiveFeed {
  readonly #listen: (wanted: boolean) => void;
  readonly #historyBytes: number;
  readonly #listeners = new Set<LiveListener>();
  /** The newest audio, at least `historyBytes` of it once there was so much. */
  #recent: Uint8Array[] = [];
  #recentBytes = 0;
  /** Requests for audio that are not answered yet: what comes before the last answer was for listeners who left. */
  #unanswered = 0;
  #isOver = false;

  /** `listen` says whether audio is wanted; the first that follows is what was last. */
  constructor(historyBytes: number, listen: (wanted: boolean) => void) {
    this.#historyBytes = historyBytes;
    this.#listen = listen;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  add(listener: LiveListener): void {
    if (this.#isOver) return listener.ended();
    for (const pcm of this.#recent) listener.audio(pcm);
    this.#listeners.add(listener);
    if (this.#listeners.size > 1) return;
    this.#unanswered += 1;
    this.#listen(true);
  }

  remove(listener: LiveListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    this.#recent = [];
    this.#recentBytes = 0;
    this.#listen(false);
  }

  /** One request for audio is answered: what follows belongs to it. */
  listening(): void {
    this.#unanswered -= 1;
  }

  /** New audio: a view that is valid until this returns. */
  push(view: Uint8Array): void {
    if (this.#listeners.size === 0 || this.#unanswered > 0) return;
    const pcm = view.slice();
    this.#recent.push(pcm);
    this.#recentBytes += pcm.length;
    while (this.#recentBytes - this.#recent[0]!.length >= this.#historyBytes) {
      this.#recentBytes -= this.#recent.shift()!.length;
    }
    for (const listener of this.#listeners) listener.audio(pcm);
  }

  end(): void {
    this.#isOver = true;
    for (const listener of this.#listeners) listener.ended();
    this.#listeners.clear();
    this.#recent = [];
  }
}
