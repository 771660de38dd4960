/**
 * Fans out the live audio of one recording. The writer sends audio only while there are listeners. A listener that joins
 * others starts with the most recent audio.
 */

/** Receives PCM16, interleaved, in whole sample frames. */
export interface LiveListener {
  /** All listeners share the bytes: never change them. */
  push(pcm: Uint8Array): void;
  /** The recording has ended. */
  end(): void;
}

export class LiveFeed {
  readonly #request: (isWanted: boolean) => void;
  readonly #historyBytes: number;
  readonly #listeners = new Set<LiveListener>();
  /** The newest audio: at least `historyBytes`, once that much has arrived. */
  #recent: Uint8Array[] = [];
  #recentBytes = 0;
  /** Requests that the writer has not acknowledged. Until the last one is, audio belongs to listeners who have left. */
  #unacknowledged = 0;
  #isOver = false;

  /** `request` starts and stops the writer's audio, which begins with the most recent audio. */
  constructor(historyBytes: number, request: (isWanted: boolean) => void) {
    this.#historyBytes = historyBytes;
    this.#request = request;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  add(listener: LiveListener): void {
    if (this.#isOver) return listener.end();
    for (const pcm of this.#recent) listener.push(pcm);
    this.#listeners.add(listener);
    if (this.#listeners.size > 1) return;
    this.#unacknowledged += 1;
    this.#request(true);
  }

  remove(listener: LiveListener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
    this.#recent = [];
    this.#recentBytes = 0;
    this.#request(false);
  }

  /** The writer acknowledges one request: the audio that follows belongs to it. */
  acknowledge(): void {
    this.#unacknowledged -= 1;
  }

  /** Passes on new audio. The view is valid until this returns. */
  push(view: Uint8Array): void {
    if (this.#listeners.size === 0 || this.#unacknowledged > 0) return;
    const pcm = view.slice();
    this.#recent.push(pcm);
    this.#recentBytes += pcm.length;
    while (this.#recentBytes - this.#recent[0]!.length >= this.#historyBytes) {
      this.#recentBytes -= this.#recent.shift()!.length;
    }
    for (const listener of this.#listeners) listener.push(pcm);
  }

  end(): void {
    this.#isOver = true;
    for (const listener of this.#listeners) listener.end();
    this.#listeners.clear();
    this.#recent = [];
  }
}
