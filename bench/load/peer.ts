/**
 * A connection of the bench: a bare WebSocket that passes messages on and keeps no queue. The client library does more
 * for its users (retries, resuming, digests) than a load generator can afford.
 */
import { ClientError } from "../../src/client/errors.ts";
import { connectTimeoutMs } from "../../src/client/limits.ts";
import { type Reply, decodeReply } from "../../src/wire/audio-cache.ts";

/** The events of a connection for its transfer; without a transfer, any message is an error. */
export interface Listener {
  reply(reply: Reply): void;
  audio(bytes: Uint8Array): void;
  lost(reason: string): void;
}

export class Peer {
  readonly #socket: WebSocket;
  #listener: Listener | undefined;
  #lostReason: string | undefined;

  static async connect(url: string): Promise<Peer> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    socket.binaryType = "arraybuffer";
    const { promise: opened, resolve, reject } = Promise.withResolvers<void>();
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new ClientError("UNREACHABLE", url));
    const timer = setTimeout(() => reject(new ClientError("CONNECT_TIMEOUT", url)), connectTimeoutMs);
    await opened.finally(() => clearTimeout(timer));
    return new Peer(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => this.#take(data);
    socket.onclose = ({ code, reason }) => this.#lose(`the server closed with ${code} ${reason}`.trim());
  }

  /** Passes messages to `listener` from now on. */
  listen(listener: Listener): void {
    this.#listener = listener;
    if (this.#lostReason !== undefined) listener.lost(this.#lostReason);
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** Bytes sent that the kernel has not accepted yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  close(): void {
    this.#listener = undefined;
    this.#socket.close();
  }

  #take(data: string | ArrayBuffer): void {
    if (typeof data !== "string") return this.#listener?.audio(new Uint8Array(data));
    const reply = decodeReply(data);
    if (reply === undefined) this.#listener?.lost(`not a reply of the protocol: ${data.slice(0, 100)}`);
    else this.#listener?.reply(reply);
  }

  #lose(reason: string): void {
    this.#lostReason = reason;
    this.#listener?.lost(reason);
  }
}

/** Opens `count` connections concurrently. */
export async function connectAll(url: string, count: number): Promise<Peer[]> {
  const attempts = await Promise.allSettled(Array.from({ length: count }, () => Peer.connect(url)));
  const peers = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
  const failure = attempts.find((attempt) => attempt.status === "rejected");
  if (failure === undefined) return peers;
  for (const peer of peers) peer.close();
  throw failure.reason;
}
