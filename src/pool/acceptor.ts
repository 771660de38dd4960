/**
 * An accepting thread, seen from the main thread. Its connections look like sockets of this thread, except that what
 * they were sent counts as taken only when that thread has said so.
 */
import { WavecacheError } from "../base/errors.ts";
import { acceptRingBytes, acceptWindowBytes, webSocketBufferBytes } from "../base/limits.ts";
import {
  type AcceptStart,
  decodeText,
  encodeClose,
  encodeText,
  Inbox,
  Outbox,
  PEER_ASKS,
  PEER_BINARY,
  PEER_BINARY_PART,
  PEER_CLOSED,
  PEER_OPEN,
  PEER_TEXT,
  PEER_TEXT_PART,
  PEER_TOOK,
  PEERS_WELCOME,
  type PeerAdmission,
  type PeerHandshake,
  type PeerRefusal,
  SEND_ADMIT,
  SEND_BINARY,
  SEND_CLOSE,
  SEND_CUT,
  SEND_END,
  SEND_PAUSE,
  SEND_REFUSE,
  SEND_RESUME,
  SEND_TEXT,
} from "../lane/accept-tasks.ts";
import { type Body, decodeNumber } from "../lane/tasks.ts";
import type { ThreadOwner } from "./lane-thread.ts";
import { LastingThread } from "./lasting-thread.ts";

/** Whoever has the connection. */
export interface RemoteOwner {
  /** Bytes are the owner's to keep, unless they lie in memory that threads share: then until this returns. */
  message(message: string | Uint8Array): void;
  drained(): void;
  closed(): void;
}

export interface AcceptorSettings {
  entry: URL;
  name: string;
  start: AcceptStart;
  /** May this handshake go on? The socket is of no use yet. */
  ask(socket: RemoteSocket, handshake: PeerHandshake): Promise<PeerAdmission | PeerRefusal>;
  /** It did. */
  open(socket: RemoteSocket): RemoteOwner;
  /** It was closed before it was open, whatever the answer. */
  abandoned(socket: RemoteSocket): void;
  /** The thread died with its connections, whose owners are told too; it is started again. */
  onLost(reason: string): void;
}

const nothing = new Uint8Array(0);

export class Acceptor implements ThreadOwner {
  readonly #settings: AcceptorSettings;
  readonly #thread: LastingThread;
  #sockets = new Map<number, RemoteSocket>();
  readonly #listening = Promise.withResolvers<void>();
  /** Those with something that found the lane full. */
  #waiting = new Set<RemoteSocket>();

  constructor(settings: AcceptorSettings) {
    this.#settings = settings;
    this.#thread = new LastingThread(
      {
        entry: settings.entry,
        name: settings.name,
        start: settings.start,
        taskRingBytes: acceptRingBytes,
        resultRingBytes: acceptRingBytes,
      },
      this,
    );
  }

  /** Resolves once the thread listens; rejects if it never does. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  onResult(kind: number, connection: number, body: Body): void {
    if (kind === PEERS_WELCOME) return this.#listening.resolve();
    if (kind === PEER_ASKS) return void this.#ask(connection, JSON.parse(decodeText(new Inbox().take(body))));
    const socket = this.#sockets.get(connection);
    switch (kind) {
      case PEER_OPEN:
        return socket?.opened(this.#settings.open(socket));
      case PEER_CLOSED:
        this.#sockets.delete(connection);
        return socket && this.#closed(socket);
      default:
        return socket?.result(kind, body);
    }
  }

  onRoom(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const socket of waiting) if (!socket.flush()) this.#waiting.add(socket);
  }

  onLost(reason: string): void {
    const orphans = this.#sockets;
    this.#sockets = new Map();
    this.#waiting.clear();
    this.#settings.onLost(reason);
    this.#listening.reject(new WavecacheError("WORKER_LOST", reason));
    for (const socket of orphans.values()) this.#closed(socket);
  }

  close(): Promise<void> {
    if (!this.#thread.isDead) this.#thread.current.send(SEND_END, 0, nothing);
    return this.#thread.close();
  }

  #closed(socket: RemoteSocket): void {
    if (!socket.closed()) this.#settings.abandoned(socket);
  }

  async #ask(connection: number, handshake: PeerHandshake): Promise<void> {
    const outbox = new Outbox(this.#thread.current, connection);
    const socket = new RemoteSocket(handshake.address, outbox, () => this.#waiting.add(socket));
    this.#sockets.set(connection, socket);
    const verdict = await this.#settings.ask(socket, handshake);
    // It may have gone meanwhile, or its thread.
    if (this.#sockets.get(connection) === socket) socket.answer(verdict);
  }
}

/** A connection whose socket belongs to an accepting thread. */
export class RemoteSocket {
  readonly address: string;
  readonly #outbox: Outbox;
  readonly #inbox = new Inbox();
  readonly #wait: () => void;
  #owner: RemoteOwner | undefined;
  #isOver = false;
  /** Payload bytes that were sent and of which is not known that the peer's system has them. */
  #untakenBytes = 0;
  #isFull = false;

  constructor(address: string, outbox: Outbox, wait: () => void) {
    this.address = address;
    this.#outbox = outbox;
    this.#wait = wait;
  }

  send(message: string | Uint8Array): "sent" | "queued" | "dropped" {
    if (this.#isOver || this.#untakenBytes > webSocketBufferBytes) return "dropped";
    const isText = typeof message === "string";
    const bytes = isText ? encodeText(message) : message;
    this.#untakenBytes += bytes.length;
    this.#put(isText ? SEND_TEXT : SEND_BINARY, bytes);
    this.#isFull ||= this.#untakenBytes > acceptWindowBytes;
    return this.#isFull ? "queued" : "sent";
  }

  bufferedBytes(): number {
    return this.#untakenBytes;
  }

  pause(): void {
    this.#put(SEND_PAUSE, nothing);
  }

  resume(): void {
    this.#put(SEND_RESUME, nothing);
  }

  close(code: number, reason: string): void {
    this.#put(SEND_CLOSE, encodeClose(code, reason));
  }

  terminate(): void {
    this.#put(SEND_CUT, nothing);
  }

  answer(verdict: PeerAdmission | PeerRefusal): void {
    this.#put("status" in verdict ? SEND_REFUSE : SEND_ADMIT, encodeText(JSON.stringify(verdict)));
  }

  opened(owner: RemoteOwner): void {
    this.#owner = owner;
  }

  result(kind: number, body: Body): void {
    switch (kind) {
      case PEER_TEXT_PART:
      case PEER_BINARY_PART:
        return this.#inbox.add(body);
      case PEER_TEXT:
        return this.#owner?.message(decodeText(this.#inbox.take(body)));
      case PEER_BINARY:
        return this.#owner?.message(this.#inbox.take(body));
      case PEER_TOOK:
        return this.#took(decodeNumber(body));
      default:
        throw new RangeError(`an accepting thread has no result of kind ${kind}`);
    }
  }

  /** False if it never was open. */
  closed(): boolean {
    this.#isOver = true;
    this.#owner?.closed();
    return this.#owner !== undefined;
  }

  /** True once nothing waits for the lane. */
  flush(): boolean {
    return this.#isOver || this.#outbox.flush();
  }

  #took(bytes: number): void {
    this.#untakenBytes -= bytes;
    if (!this.#isFull || this.#untakenBytes > acceptWindowBytes / 2) return;
    this.#isFull = false;
    this.#owner?.drained();
  }

  #put(kind: number, bytes: Uint8Array): void {
    if (this.#isOver || this.#outbox.put(kind, bytes)) return;
    // Audio on its way out lies in memory that is not ours to keep.
    this.#outbox.keep();
    this.#wait();
  }
}
