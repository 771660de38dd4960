/** Where the bytes of an upload come from, as often as a lost connection asks for them. */
import { ClientError } from "../../errors.ts";
import {
  replayBlockBytes,
  replayBudgetBytes,
  maxReplayBytes,
  minReplayBytes,
  streamBlockBytes,
} from "../../limits.ts";
import type { AudioSource } from "../../audio-source.ts";

export interface ReplayBuffer {
  /** Where the stream ends, once that is known. */
  readonly sizeBytes: number | undefined;
  /** Bytes before this cannot be had again. */
  readonly firstOffset: number;
  /**
   * What lies at `offset`, at least one byte, as it is until the next call; undefined at the end. Waits where there is
   * nothing yet.
   */
  read(offset: number): Promise<Uint8Array | undefined>;
  /** Nothing before `offset` will be asked for again. */
  forget(offset: number): void;
  /** Nothing is wanted any more: who waits, or comes later, gets this reason. */
  release(reason: unknown): void;
}

/** Audio that can be read from any offset at any time: nothing is kept. */
export class SourceReplayBuffer implements ReplayBuffer {
  readonly firstOffset = 0;
  readonly #source: AudioSource;
  /** The reads so far: sources read into one buffer, so that two at once would be one too many. */
  #reads: Promise<unknown> = Promise.resolve();

  constructor(source: AudioSource) {
    this.#source = source;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  read(offset: number): Promise<Uint8Array | undefined> {
    const length = Math.min(streamBlockBytes, this.sizeBytes - offset);
    if (length <= 0) return Promise.resolve(undefined);
    const block = this.#reads.then(async () => {
      const bytes = await this.#source.read(offset, length);
      if (bytes.length === length) return bytes;
      throw new ClientError("SOURCE_CHANGED", `${bytes.length} bytes at ${offset} instead of ${length}`);
    });
    this.#reads = block.catch(() => undefined);
    return block;
  }

  forget(): void {}

  release(): void {}
}

/** What all writers of one client may hold, and how many share it. */
export class ReplayBudget {
  writers = 0;

  /** What one of them may hold now. */
  get shareBytes(): number {
    const share = Math.floor(replayBudgetBytes / Math.max(1, this.writers));
    return Math.min(maxReplayBytes, Math.max(minReplayBytes, share));
  }
}

/** Audio that is written once: it is kept until it is durable, and whoever writes waits while too much is kept. */
interface Block {
  bytes: Uint8Array;
  usedBytes: number;
}

/** Audio that is written once: it is kept until it is durable, and whoever writes waits while too much is kept. */
export class MemoryReplayBuffer implements ReplayBuffer {
  readonly #budget: ReplayBudget;
  /** One after the other from `firstOffset` on. Only the last one can have room. */
  readonly #blocks: Block[] = [];
  #firstOffset: number;
  #endOffset: number;
  #sizeBytes: number | undefined;
  #released: { reason: unknown } | undefined;
  #waiting: (() => void)[] = [];

  constructor(budget: ReplayBudget, offset: number) {
    this.#budget = budget;
    this.#firstOffset = offset;
    this.#endOffset = offset;
    budget.writers += 1;
  }

  get sizeBytes(): number | undefined {
    return this.#sizeBytes;
  }

  get firstOffset(): number {
    return this.#firstOffset;
  }

  /** Keeps a copy; resolves when there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#throwReleased();
    for (let at = 0; at < bytes.length;) {
      at += this.#keep(bytes.subarray(at));
      this.#wake();
      while (this.#endOffset - this.#firstOffset >= this.#budget.shareBytes) await this.#change();
    }
  }

  /** There will be no more. */
  end(): void {
    this.#sizeBytes = this.#endOffset;
    this.#wake();
  }

  async read(offset: number): Promise<Uint8Array | undefined> {
    this.#throwReleased();
    while (offset >= this.#endOffset) {
      if (this.#sizeBytes !== undefined) return undefined;
      await this.#change();
    }
    let at = this.#firstOffset;
    for (const { bytes, usedBytes } of this.#blocks) {
      if (offset < at + usedBytes) return bytes.subarray(offset - at, usedBytes);
      at += usedBytes;
    }
    return undefined;
  }

  forget(offset: number): void {
    let forgotten = 0;
    for (const { bytes, usedBytes } of this.#blocks) {
      if (usedBytes < bytes.length || this.#firstOffset + usedBytes > offset) break;
      this.#firstOffset += usedBytes;
      forgotten += 1;
    }
    if (forgotten === 0) return;
    this.#blocks.splice(0, forgotten);
    this.#wake();
  }

  release(reason: unknown): void {
    if (this.#released !== undefined) return;
    this.#released = { reason };
    this.#blocks.length = 0;
    this.#budget.writers -= 1;
    this.#wake();
  }

  /** Returns how many bytes had room in the last block. */
  #keep(bytes: Uint8Array): number {
    let last = this.#blocks.at(-1);
    if (last === undefined || last.usedBytes === last.bytes.length) {
      last = { bytes: new Uint8Array(replayBlockBytes), usedBytes: 0 };
      this.#blocks.push(last);
    }
    const room = bytes.subarray(0, last.bytes.length - last.usedBytes);
    last.bytes.set(room, last.usedBytes);
    last.usedBytes += room.length;
    this.#endOffset += room.length;
    return room.length;
  }

  async #change(): Promise<void> {
    this.#throwReleased();
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#throwReleased();
  }

  #throwReleased(): void {
    if (this.#released !== undefined) throw this.#released.reason;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
