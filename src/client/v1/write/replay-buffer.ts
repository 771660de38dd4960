/** The bytes of an upload, which can be read again from the server's offset after a lost connection. */
import { ClientError } from "../../errors.ts";
import {
  replayBlockBytes,
  replayBudgetBytes,
  maxReplayBytes,
  minReplayBytes,
  streamBlockBytes,
} from "../../limits.ts";
import type { AudioSource } from "../../audio-source.ts";
import type { StreamDigests } from "../../digests.ts";
import { refuseChangedSource } from "../../source-check.ts";

export interface ReplayBuffer {
  /** The size of the stream; undefined until it is known. */
  readonly sizeBytes: number | undefined;
  /** The offset of the first byte that can still be read. */
  readonly firstOffset: number;
  /**
   * Reads the next bytes at `offset`, at least one; undefined at the end. Waits until there are any. The view is valid
   * until the next call.
   */
  read(offset: number): Promise<Uint8Array | undefined>;
  /** Throws SOURCE_CHANGED if the bytes are no longer those that were sent. */
  refuseChanged(sent: StreamDigests, signal: AbortSignal): Promise<void>;
  /** Frees the bytes before `offset`: they are durable and will not be read again. */
  discardBefore(offset: number): void;
  /** Frees everything. Waiting and later calls throw this reason. */
  close(reason: unknown): void;
}

/** Replays from a source that can be read at any offset; keeps nothing. */
export class SourceReplayBuffer implements ReplayBuffer {
  readonly firstOffset = 0;
  readonly #source: AudioSource;
  /** Settles after the last read. Reads never overlap, because a source may reuse one buffer. */
  #reads: Promise<unknown> = Promise.resolve();

  constructor(source: AudioSource) {
    this.#source = source;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  /** Throws SOURCE_CHANGED if the source has shrunk. */
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

  refuseChanged(sent: StreamDigests, signal: AbortSignal): Promise<void> {
    return refuseChangedSource(this.#source, sent, signal);
  }

  discardBefore(): void {}

  close(): void {}
}

/** The memory that all writers of one client share for their replay buffers. */
export class ReplayBudget {
  writers = 0;

  /** Bytes that one writer may keep now: an equal share, but never less than `minReplayBytes`. */
  get shareBytes(): number {
    const share = Math.floor(replayBudgetBytes / Math.max(1, this.writers));
    return Math.min(maxReplayBytes, Math.max(minReplayBytes, share));
  }
}

interface Block {
  bytes: Uint8Array;
  usedBytes: number;
}

/** Replays from memory, for audio that is written once. Writers wait while their share of the budget is used up. */
export class MemoryReplayBuffer implements ReplayBuffer {
  readonly #budget: ReplayBudget;
  /** Contiguous from `firstOffset`. All blocks but the last are full. */
  readonly #blocks: Block[] = [];
  #firstOffset: number;
  #endOffset: number;
  #sizeBytes: number | undefined;
  #closed: { reason: unknown } | undefined;
  #waiters: (() => void)[] = [];

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

  /** Copies the bytes; resolves once there is room for more. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#throwIfClosed();
    for (let at = 0; at < bytes.length;) {
      at += this.#append(bytes.subarray(at));
      this.#wakeAll();
      while (this.#endOffset - this.#firstOffset >= this.#budget.shareBytes) await this.#nextChange();
    }
  }

  /** Fixes the size: nothing more will be written. */
  end(): void {
    this.#sizeBytes = this.#endOffset;
    this.#wakeAll();
  }

  async read(offset: number): Promise<Uint8Array | undefined> {
    this.#throwIfClosed();
    while (offset >= this.#endOffset) {
      if (this.#sizeBytes !== undefined) return undefined;
      await this.#nextChange();
    }
    let at = this.#firstOffset;
    for (const { bytes, usedBytes } of this.#blocks) {
      if (offset < at + usedBytes) return bytes.subarray(offset - at, usedBytes);
      at += usedBytes;
    }
    return undefined;
  }

  /** Nobody else can write to these bytes. */
  async refuseChanged(): Promise<void> {}

  /** Frees whole blocks; the last one stays until it is full. */
  discardBefore(offset: number): void {
    let discarded = 0;
    for (const { bytes, usedBytes } of this.#blocks) {
      if (usedBytes < bytes.length || this.#firstOffset + usedBytes > offset) break;
      this.#firstOffset += usedBytes;
      discarded += 1;
    }
    if (discarded === 0) return;
    this.#blocks.splice(0, discarded);
    this.#wakeAll();
  }

  close(reason: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = { reason };
    this.#blocks.length = 0;
    this.#budget.writers -= 1;
    this.#wakeAll();
  }

  /** Copies as many bytes as fit into the last block, and returns their number. */
  #append(bytes: Uint8Array): number {
    let last = this.#blocks.at(-1);
    if (last === undefined || last.usedBytes === last.bytes.length) {
      last = { bytes: new Uint8Array(replayBlockBytes), usedBytes: 0 };
      this.#blocks.push(last);
    }
    const fitting = bytes.subarray(0, last.bytes.length - last.usedBytes);
    last.bytes.set(fitting, last.usedBytes);
    last.usedBytes += fitting.length;
    this.#endOffset += fitting.length;
    return fitting.length;
  }

  /** Resolves when the buffer has changed in any way. */
  async #nextChange(): Promise<void> {
    this.#throwIfClosed();
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.#throwIfClosed();
  }

  #throwIfClosed(): void {
    if (this.#closed !== undefined) throw this.#closed.reason;
  }

  #wakeAll(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
