/**
 * A song over the older UDP protocol. Lost datagrams are neither repeated nor reported. A datagram shorter than 1024
 * bytes ends the song, or an idle timeout if that one is lost.
 */
import { songDatagramBytes } from "../../wire/song-udp.ts";
import { ClientError } from "../errors.ts";
import { maxPlainWaitingBytes, maxUdpRequests, udpRequestMs, plainUdpIdleTimeoutMs } from "../limits.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { SongDownload } from "./song.ts";
import type { UdpSocket } from "./udp-socket.ts";

export interface PlainOptions {
  /** The datagram to send: the song's name. */
  request: Uint8Array;
  /** The song's size in bytes, if the caller knows it. */
  size?: number;
  signal?: AbortSignal;
}

/** Repeats the request until a datagram arrives. Throws UNREACHABLE, ANSWER_TIMEOUT, or the reason of the signal. */
export function openPlain(socket: UdpSocket, options: PlainOptions): Promise<SongDownload> {
  return new PlainDownload(socket, options).open();
}

class PlainDownload {
  readonly #socket: UdpSocket;
  readonly #options: PlainOptions;
  readonly #opened = Promise.withResolvers<SongDownload>();
  readonly #chunks: ChunkQueue;
  #timer: Timer | undefined;
  #requests = 0;
  #bytes = 0;
  readonly #abort = () => this.#fail(this.#options.signal?.reason);

  constructor(socket: UdpSocket, options: PlainOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#chunks = new ChunkQueue({ onRead() {}, onCancel: () => this.#stop() });
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
    if (this.#requests === maxUdpRequests) return this.#fail(new ClientError("ANSWER_TIMEOUT"));
    this.#requests += 1;
    this.#socket.send(this.#options.request);
    this.#timer = setTimeout(() => this.#request(), udpRequestMs);
  }

  #receive(bytes: Uint8Array): void {
    clearTimeout(this.#timer);
    this.#opened.resolve(this.#chunks.download({ size: this.#options.size, sha256: undefined }));
    if (bytes.length > songDatagramBytes) {
      return this.#fail(new ClientError("UNEXPECTED", `a datagram of ${bytes.length} bytes`));
    }
    this.#bytes += bytes.length;
    this.#chunks.push(bytes);
    if (bytes.length < songDatagramBytes) this.#finish(undefined);
    else if (this.#chunks.waitingBytes > maxPlainWaitingBytes) this.#fail(new ClientError("READER_TOO_SLOW"));
    else this.#timer = setTimeout(() => this.#finish(false), plainUdpIdleTimeoutMs);
  }

  /** `complete` is what the end of the song suggests; the size decides if it is known. */
  #finish(complete: boolean | undefined): void {
    this.#stop();
    const { size } = this.#options;
    const isWhole = size === undefined ? complete : this.#bytes === size;
    this.#chunks.finish({ bytes: this.#bytes, complete: isWhole, verified: false });
  }

  #fail(error: unknown): void {
    this.#stop();
    this.#opened.reject(error);
    this.#chunks.fail(error);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#socket.close();
  }
}
