/** What a principal uses at the moment, of all protocols together, and the limits of that in the record of its token. */
import { WavecacheError } from "../base/errors.ts";
import { rateBurstMs } from "../base/limits/access.ts";
import type { Account } from "../store/streams/accounts.ts";
import type { TokenLimits } from "../store/tokens/catalog.ts";

export class Usage {
  /** Without limits. It counts nothing. */
  static readonly unlimited = new Usage({}, undefined);

  readonly limits: TokenLimits;
  /** Undefined for one that has no token. */
  readonly account: Account | undefined;
  /** What it sends, and what it is sent. */
  readonly in: ByteRate;
  readonly out: ByteRate;
  #connections = 0;
  /** Uploads by stream: one that is resumed is not another one, even before its old connection has ended. */
  readonly #uploads = new Map<string, number>();

  /** `tokenId`: what is uploaded counts for this token. */
  constructor(limits: TokenLimits, tokenId: string | undefined) {
    this.limits = limits;
    if (tokenId !== undefined) this.account = { id: tokenId, maxStoredBytes: limits.storedBytes };
    this.in = new ByteRate(limits.bytesInPerSecond);
    this.out = new ByteRate(limits.bytesOutPerSecond);
  }

  /** Counts a connection until the result is called. Throws TOKEN_LIMIT_REACHED. */
  openConnection(): () => void {
    const { connections: max } = this.limits;
    if (max === undefined) return () => undefined;
    if (this.#connections >= max) throw new WavecacheError("TOKEN_LIMIT_REACHED", "connections");
    this.#connections += 1;
    return () => (this.#connections -= 1);
  }

  /** Opens an upload, and counts it until it is over. Throws TOKEN_LIMIT_REACHED, and what `open` throws. */
  openUpload<U extends { readonly over: Promise<void> }>(streamId: string, open: () => U): U {
    const { uploads: max } = this.limits;
    if (max === undefined) return open();
    if (this.#uploads.size >= max && !this.#uploads.has(streamId))
      throw new WavecacheError("TOKEN_LIMIT_REACHED", "uploads");
    const upload = open();
    this.#count(streamId, 1);
    void upload.over.then(() => this.#count(streamId, -1));
    return upload;
  }

  #count(streamId: string, change: number): void {
    const count = (this.#uploads.get(streamId) ?? 0) + change;
    if (count === 0) this.#uploads.delete(streamId);
    else this.#uploads.set(streamId, count);
  }
}

/** A rate of bytes. What has arrived is taken, whatever the rate; the next bytes have to wait for it. */
export class ByteRate {
  readonly #bytesPerMs: number | undefined;
  readonly #nowMs: () => number;
  /** When everything that was taken would have passed at the rate. */
  #doneMs = 0;

  constructor(bytesPerSecond: number | undefined, nowMs: () => number = () => performance.now()) {
    this.#bytesPerMs = bytesPerSecond === undefined ? undefined : bytesPerSecond / 1000;
    this.#nowMs = nowMs;
  }

  get isLimited(): boolean {
    return this.#bytesPerMs !== undefined;
  }

  /** Takes bytes. Returns how long to wait before the next ones, in milliseconds. */
  take(bytes: number): number {
    if (this.#bytesPerMs === undefined) return 0;
    const now = this.#nowMs();
    this.#doneMs = Math.max(this.#doneMs, now - rateBurstMs) + bytes / this.#bytesPerMs;
    return Math.max(0, this.#doneMs - now);
  }
}
