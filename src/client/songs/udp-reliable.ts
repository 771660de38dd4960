/**
 * A song over UDP with nothing lost: the client's side of docs/reliable-udp.md. It says what is missing until nothing
 * is, hands the bytes on in order, and lets the server send only as far as there is room.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  decodeReliable,
  encodeReliable,
  type DataMessage,
  type ReliableMessage,
  type SongMessage,
  tokenBytes,
} from "../../wire/reliable-udp.ts";
import { BlockWindow } from "./block-window.ts";
import { ClientError } from "../errors.ts";
import {
  maxUdpRequests,
  reliableAckMs,
  reliableIdleAckMs,
  reliableUdpIdleTimeoutMs,
  reliableWindowBlocks,
  udpRequestMs,
} from "../limits.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { SongDownload } from "./song.ts";
import type { UdpSocket } from "./udp-socket.ts";

export interface ReliableOptions {
  name: string;
  signal?: AbortSignal;
}

/**
 * Asks until the server answers. Rejects with NO_RELIABLE_UDP if what answers is something else, or nothing does;
 * UNREACHABLE, SONG_UNKNOWN, BUSY, REFUSED or the signal's reason.
 */
export function openReliable(socket: UdpSocket, options: ReliableOptions): Promise<SongDownload> {
  return new ReliableDownload(socket, options).open();
}

class ReliableDownload {
  readonly #socket: UdpSocket;
  readonly #options: ReliableOptions;
  readonly #id = randomBytes(8).readBigUInt64LE();
  readonly #opened = Promise.withResolvers<SongDownload>();
  readonly #chunks: ChunkQueue;
  readonly #hash = createHash("sha256");
  #token: Uint8Array = new Uint8Array(tokenBytes);
  #requests = 0;
  #requestTimer: Timer | undefined;
  #ackTimer: Timer | undefined;
  #window: BlockWindow | undefined;
  #size = 0;
  #blockBytes = 0;
  #sha256: string | undefined;
  #digest: string | undefined;
  #bytes = 0;
  /** Of the block that came last: the server's stamp, and when it came. */
  #stamp = 0;
  #stampedAt = 0;
  #heardAt = 0;
  #ackedAt = 0;
  #toldLimit = 0;
  #hasNews = false;
  readonly #abort = () => this.#fail(this.#options.signal?.reason);

  constructor(socket: UdpSocket, options: ReliableOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#chunks = new ChunkQueue({ taken: () => this.#tellRoom(), left: () => this.#leave() });
  }

  open(): Promise<SongDownload> {
    this.#options.signal?.addEventListener("abort", this.#abort);
    this.#socket.listen({
      datagram: (bytes) => this.#receive(bytes),
      failed: (error) => this.#fail(error),
    });
    if (this.#options.signal?.aborted === true) this.#abort();
    else this.#request();
    return this.#opened.promise;
  }

  #request(): void {
    clearTimeout(this.#requestTimer);
    if (this.#requests === maxUdpRequests) return this.#fail(new ClientError("NO_RELIABLE_UDP", "no answer"));
    this.#requests += 1;
    this.#send({
      type: "request",
      token: this.#token,
      limit: reliableWindowBlocks,
      name: this.#options.name,
    });
    this.#requestTimer = setTimeout(() => this.#request(), udpRequestMs);
  }

  #receive(datagram: Uint8Array): void {
    const message = decodeReliable(datagram);
    if (message === undefined) {
      // An old server has taken the request for the name of a song that it does not have.
      if (this.#window === undefined) this.#fail(new ClientError("NO_RELIABLE_UDP"));
      return;
    }
    if (message.transfer !== this.#id) return;
    this.#heardAt = performance.now();
    if (message.type === "data") this.#take(message);
    else if (message.type === "token") this.#proveAddress(message.token);
    else if (message.type === "song") this.#begin(message);
    else if (message.type === "end") this.#learnDigest(message.sha256);
    else if (message.type === "error") this.#refused(message.code);
  }

  #proveAddress(token: Uint8Array): void {
    if (this.#window !== undefined) return;
    const isFirst = this.#token.every((byte) => byte === 0);
    this.#token = token.slice();
    // A second one comes only if the first was too old, or its request took two ways: the timer sees to that.
    if (isFirst) this.#request();
  }

  #begin({ size, blockBytes, sha256 }: SongMessage): void {
    if (this.#window !== undefined) return;
    clearTimeout(this.#requestTimer);
    this.#size = size;
    this.#blockBytes = blockBytes;
    this.#window = new BlockWindow(Math.ceil(size / blockBytes), reliableWindowBlocks);
    this.#ackTimer = setInterval(() => this.#look(), reliableAckMs);
    if (sha256 !== undefined) this.#sha256 = Buffer.from(sha256).toString("hex");
    this.#opened.resolve(this.#chunks.download({ size, sha256: this.#sha256 }));
    this.#acknowledge();
    this.#finishIfWhole();
  }

  #take({ block, stamp, bytes }: DataMessage): void {
    const window = this.#window;
    if (window === undefined || bytes.length !== this.#lengthOf(block)) return;
    this.#stamp = stamp;
    this.#stampedAt = this.#heardAt;
    this.#hasNews = true;
    for (const part of window.take(block, bytes)) {
      this.#hash.update(part);
      this.#bytes += part.length;
      this.#chunks.push(part);
    }
    this.#finishIfWhole();
  }

  #lengthOf(block: number): number {
    return Math.min(this.#blockBytes, this.#size - block * this.#blockBytes);
  }

  #learnDigest(sha256: Uint8Array): void {
    this.#sha256 ??= Buffer.from(sha256).toString("hex");
    this.#finishIfWhole();
  }

  /** With all blocks there, the digest may still be on its way: the ACK that says so is answered with it. */
  #finishIfWhole(): void {
    if (this.#window?.isWhole !== true || this.#chunks.isOver) return;
    this.#digest ??= this.#hash.digest("hex");
    if (this.#sha256 === undefined) return this.#acknowledge();
    if (this.#digest !== this.#sha256) return this.#fail(new ClientError("MISMATCH"));
    this.#send({ type: "close", complete: true });
    this.#stop();
    this.#chunks.finish({ bytes: this.#bytes, complete: true, verified: true });
  }

  #look(): void {
    const now = performance.now();
    const isWaiting = this.#window!.isWhole || this.#toldLimit > this.#window!.next;
    if (!isWaiting) this.#heardAt = now;
    if (now - this.#heardAt > reliableUdpIdleTimeoutMs)
      this.#fail(new ClientError("CONNECTION_LOST", "the server has fallen silent"));
    else if (this.#hasNews || now - this.#ackedAt >= reliableIdleAckMs) this.#acknowledge();
  }

  #acknowledge(): void {
    const window = this.#window!;
    const waitingBlocks = Math.ceil(this.#chunks.waitingBytes / this.#blockBytes);
    const now = performance.now();
    this.#hasNews = false;
    this.#ackedAt = now;
    this.#toldLimit = window.next + Math.max(0, reliableWindowBlocks - waitingBlocks);
    this.#send({
      type: "ack",
      next: window.next,
      limit: Math.min(0xffff_ffff, this.#toldLimit),
      seen: window.seen,
      stamp: this.#stamp,
      heldMs: Math.floor(now - this.#stampedAt),
      missing: window.missing(),
    });
  }

  /** The server is told of room before it has to stop. */
  #tellRoom(): void {
    const window = this.#window;
    if (window !== undefined && this.#toldLimit - window.next < reliableWindowBlocks / 2)
      this.#hasNews = true;
  }

  #refused(code: string): void {
    this.#fail(errorOf(code));
  }

  #fail(error: unknown): void {
    this.#leave();
    this.#opened.reject(error);
    this.#chunks.fail(error);
  }

  /** Tells the server that it need not go on. */
  #leave(): void {
    if (this.#window !== undefined) this.#send({ type: "close", complete: false });
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#requestTimer);
    clearInterval(this.#ackTimer);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#socket.close();
  }

  #send(message: Unaddressed<ReliableMessage>): void {
    this.#socket.send(encodeReliable({ ...message, transfer: this.#id }));
  }
}

type Unaddressed<T> = T extends { transfer: bigint } ? Omit<T, "transfer"> : never;

function errorOf(code: string): ClientError {
  switch (code) {
    case "SONG_UNKNOWN":
      return new ClientError("SONG_UNKNOWN");
    case "TRANSFERS_EXHAUSTED":
    case "SHUTTING_DOWN":
      return new ClientError("BUSY", code);
    case "TRANSFER_UNKNOWN":
      return new ClientError("CONNECTION_LOST", "the server knows nothing of this transfer any more");
    case "BAD_REQUEST":
      return new ClientError("NO_RELIABLE_UDP", "it speaks another version");
    default:
      return new ClientError("REFUSED", code);
  }
}
