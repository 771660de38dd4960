/**
 * A song over reliable UDP: the client's side of docs/reliable-udp.md. It acknowledges blocks, reports missing ones until
 * they arrive, and limits the server to the free part of its window.
 */
import { createHash, randomBytes } from "node:crypto";
import {
  decodeReliable,
  encodeDiscover,
  encodeReliable,
  type DataMessage,
  type ReliableMessage,
  type SongMessage,
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
 * Repeats its requests until the server answers. An older server gets nothing but the text of DISCOVER. Throws
 * NO_RELIABLE_UDP if that is not answered, or not by this protocol; UNREACHABLE, ANSWER_TIMEOUT, SONG_UNKNOWN, BUSY,
 * REFUSED, or the reason of the signal.
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
  /** Undefined until the server has shown that it speaks this protocol. */
  #token: Uint8Array | undefined;
  #requests = 0;
  #requestTimer: Timer | undefined;
  #ackTimer: Timer | undefined;
  #window: BlockWindow | undefined;
  #size = 0;
  #blockBytes = 0;
  #sha256: string | undefined;
  #digest: string | undefined;
  #bytes = 0;
  /** The server's stamp in the last block, and when that block arrived. The ACK returns both for the round-trip time. */
  #stamp = 0;
  #stampedMs = 0;
  /** When the last datagram of the transfer arrived. */
  #receivedMs = 0;
  /** When the last ACK was sent. */
  #ackedMs = 0;
  /** The limit in the last ACK: the server sends only blocks below it. */
  #sentLimit = 0;
  #needsAck = false;
  readonly #abort = () => this.#fail(this.#options.signal?.reason);

  constructor(socket: UdpSocket, options: ReliableOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#chunks = new ChunkQueue({ onRead: () => this.#updateLimit(), onCancel: () => this.#cancel() });
  }

  open(): Promise<SongDownload> {
    this.#options.signal?.addEventListener("abort", this.#abort);
    this.#socket.listen({
      onDatagram: (bytes) => this.#receive(bytes),
      onError: (error) => this.#fail(error),
    });
    if (this.#options.signal?.aborted === true) this.#abort();
    else this.#request();
    return this.#opened.promise;
  }

  #request(): void {
    clearTimeout(this.#requestTimer);
    if (this.#requests === maxUdpRequests) return this.#fail(this.#timeoutError());
    this.#requests += 1;
    if (this.#token === undefined) this.#socket.send(encodeDiscover(this.#id));
    else this.#sendToken(this.#token);
    this.#requestTimer = setTimeout(() => this.#request(), udpRequestMs);
  }

  #timeoutError(): ClientError {
    return this.#token === undefined
      ? new ClientError("NO_RELIABLE_UDP", "no answer")
      : new ClientError("ANSWER_TIMEOUT");
  }

  #sendToken(token: Uint8Array): void {
    const { name } = this.#options;
    this.#send({ type: "request", token, limit: reliableWindowBlocks, name });
  }

  #receive(datagram: Uint8Array): void {
    const message = decodeReliable(datagram);
    if (message === undefined) {
      // An older server mistakes DISCOVER for the name of a song, and answers that it does not exist.
      if (this.#token === undefined) this.#fail(new ClientError("NO_RELIABLE_UDP"));
      return;
    }
    if (message.transfer !== this.#id) return;
    this.#receivedMs = performance.now();
    if (message.type === "data") this.#receiveBlock(message);
    else if (message.type === "token") this.#proveAddress(message.token);
    else if (message.type === "song") this.#begin(message);
    else if (message.type === "end") this.#setDigest(message.sha256);
    else if (message.type === "error") this.#fail(refusalOf(message.code));
  }

  #proveAddress(token: Uint8Array): void {
    // The server sees this client at another address, and sends nothing there before the token is returned.
    if (this.#window !== undefined) return this.#sendToken(token);
    const isFirst = this.#token === undefined;
    this.#token = token.slice();
    // A second token comes if the first expired, or if a request was duplicated: the timer repeats the request.
    if (isFirst) this.#request();
  }

  #begin({ size, blockBytes, sha256 }: SongMessage): void {
    if (this.#window !== undefined) return;
    clearTimeout(this.#requestTimer);
    this.#size = size;
    this.#blockBytes = blockBytes;
    this.#window = new BlockWindow(Math.ceil(size / blockBytes), reliableWindowBlocks);
    this.#ackTimer = setInterval(() => this.#tick(), reliableAckMs);
    if (sha256 !== undefined) this.#sha256 = Buffer.from(sha256).toString("hex");
    this.#opened.resolve(this.#chunks.download({ size, sha256: this.#sha256 }));
    this.#acknowledge();
    this.#finishIfWhole();
  }

  #receiveBlock({ block, stamp, bytes }: DataMessage): void {
    const window = this.#window;
    if (window === undefined || bytes.length !== this.#lengthOf(block)) return;
    this.#stamp = stamp;
    this.#stampedMs = this.#receivedMs;
    this.#needsAck = true;
    for (const part of window.add(block, bytes)) {
      this.#hash.update(part);
      this.#bytes += part.length;
      this.#chunks.push(part);
    }
    this.#finishIfWhole();
  }

  #lengthOf(block: number): number {
    return Math.min(this.#blockBytes, this.#size - block * this.#blockBytes);
  }

  #setDigest(sha256: Uint8Array): void {
    this.#sha256 ??= Buffer.from(sha256).toString("hex");
    this.#finishIfWhole();
  }

  /** The digest may still be missing when all blocks are there; the server answers the final ACK with it. */
  #finishIfWhole(): void {
    if (this.#window?.isWhole !== true || this.#chunks.isOver) return;
    this.#digest ??= this.#hash.digest("hex");
    if (this.#sha256 === undefined) return this.#acknowledge();
    if (this.#digest !== this.#sha256) return this.#fail(new ClientError("MISMATCH"));
    this.#send({ type: "close", complete: true });
    this.#stop();
    this.#chunks.finish({ bytes: this.#bytes, complete: true, verified: true });
  }

  #tick(): void {
    const now = performance.now();
    // Without room for blocks the server is silent by right.
    const isWaiting = this.#window!.isWhole || this.#sentLimit > this.#window!.next;
    if (!isWaiting) this.#receivedMs = now;
    if (now - this.#receivedMs > reliableUdpIdleTimeoutMs) {
      this.#fail(new ClientError("CONNECTION_LOST", "the server has stopped answering"));
    } else if (this.#needsAck || now - this.#ackedMs >= reliableIdleAckMs) {
      this.#acknowledge();
    }
  }

  #acknowledge(): void {
    const window = this.#window!;
    const waitingBlocks = Math.ceil(this.#chunks.waitingBytes / this.#blockBytes);
    const now = performance.now();
    this.#needsAck = false;
    this.#ackedMs = now;
    this.#sentLimit = window.next + Math.max(0, reliableWindowBlocks - waitingBlocks);
    this.#send({
      type: "ack",
      next: window.next,
      limit: Math.min(0xffff_ffff, this.#sentLimit),
      seen: window.seen,
      stamp: this.#stamp,
      heldMs: Math.floor(now - this.#stampedMs),
      missing: window.missing(),
    });
  }

  /** Raises the limit with the next ACK once less than half the window is left, before the server has to stop. */
  #updateLimit(): void {
    const window = this.#window;
    if (window === undefined) return;
    if (this.#sentLimit - window.next < reliableWindowBlocks / 2) this.#needsAck = true;
  }

  #fail(error: unknown): void {
    this.#cancel();
    this.#opened.reject(error);
    this.#chunks.fail(error);
  }

  /** Stops, and tells the server to stop. */
  #cancel(): void {
    if (this.#window !== undefined) this.#send({ type: "close", complete: false });
    this.#stop();
  }

  #stop(): void {
    clearTimeout(this.#requestTimer);
    clearInterval(this.#ackTimer);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#socket.close();
  }

  #send(message: WithoutTransfer<ReliableMessage>): void {
    this.#socket.send(encodeReliable({ ...message, transfer: this.#id }));
  }
}

type WithoutTransfer<T> = T extends { transfer: bigint } ? Omit<T, "transfer"> : never;

function refusalOf(code: string): ClientError {
  switch (code) {
    case "SONG_UNKNOWN":
      return new ClientError("SONG_UNKNOWN");
    case "TRANSFERS_EXHAUSTED":
    case "SHUTTING_DOWN":
      return new ClientError("BUSY", code);
    case "TRANSFER_UNKNOWN":
      return new ClientError("CONNECTION_LOST", "the server has ended this transfer");
    case "BAD_REQUEST":
      return new ClientError("NO_RELIABLE_UDP", "it speaks another version");
    default:
      return new ClientError("REFUSED", code);
  }
}
