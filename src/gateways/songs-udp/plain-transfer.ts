/**
 * A song by the plain protocol: datagrams of 1024 bytes, and a shorter one at the end. If reading fails, no end follows:
 * the client must not mistake a part for the whole song.
 */
import { type ErrorCode, toWavecacheError } from "../../base/errors.ts";
import { udpReadBytes } from "../../base/limits/songs.ts";
import { songDatagramBytes, songDatagrams } from "../../wire/song-udp.ts";
import type { CutReason, Peer, Transfer, TransferHost, UdpSong } from "./transfer.ts";

/** The client learns no more than that it gets no song. */
const refusals: ReadonlySet<ErrorCode> = new Set(["SONG_UNKNOWN", "UNAUTHENTICATED"]);
const emptyDatagram = new Uint8Array(0);

export class PlainTransfer implements Transfer {
  readonly peer: Peer;
  readonly name: string;
  readonly bytesPerSecond: number;
  /** The song to send afterwards. */
  next: string | undefined;
  readonly #host: TransferHost;
  #song: UdpSong | undefined;
  /** Datagrams read and not sent. */
  #queue: Uint8Array[] = [];
  #readTo = 0;
  #isReading = false;
  #isRead = false;
  #isOver = false;

  constructor(peer: Peer, name: string, bytesPerSecond: number, host: TransferHost) {
    this.peer = peer;
    this.name = name;
    this.bytesPerSecond = bytesPerSecond;
    this.#host = host;
  }

  /** Opens the song and starts to send. An unknown song is answered with an empty datagram. */
  async start(): Promise<void> {
    try {
      this.#song = await this.#host.open(this);
      if (this.#isOver) return await this.#close();
    } catch (error) {
      if (refusals.has(toWavecacheError(error).code)) this.#host.answer(this.peer, emptyDatagram);
      this.#fail(error);
    }
    await this.#readAhead();
  }

  ready(maxDatagrams: number): readonly Uint8Array[] {
    return this.#queue.slice(0, maxDatagrams);
  }

  sent(count: number): void {
    this.#queue = this.#queue.slice(count);
    if (this.#queue.length > 0 || !this.#isRead) void this.#readAhead();
    else this.#end(undefined);
  }

  /**
   * Another request of the peer. It may be forged, so it does not end this transfer. A client that has received nothing
   * repeats its request; one that requests another song gets it next, as from servers that serve one after the other.
   */
  request(name: string): void {
    if (name !== this.name) this.next = name;
  }

  /** The plain protocol has no acknowledgements, so there is nothing to time out. */
  tick(): void {}

  unreachable(): void {
    this.#end("client gone");
  }

  cut(reason: CutReason): void {
    this.#end(reason);
  }

  /** Reads the next piece once the queue is half empty: at most two reads are in memory. */
  async #readAhead(): Promise<void> {
    if (this.#song === undefined || this.#isReading || this.#isRead) return;
    if (this.#queue.length * songDatagramBytes > udpReadBytes / 2) return;
    this.#isReading = true;
    try {
      const length = Math.min(udpReadBytes, this.#song.size - this.#readTo);
      const bytes = await this.#song.read(this.#readTo, length);
      this.#readTo += length;
      this.#isRead = this.#readTo === this.#song.size;
      this.#queue.push(...songDatagrams(bytes, this.#isRead));
      this.#host.wake();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isReading = false;
      if (this.#isOver) await this.#close();
    }
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    const { code } = toWavecacheError(error);
    if (code !== "SONG_UNKNOWN") this.#host.failed(this, error);
    this.#end(code);
  }

  #end(cut: CutReason | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue = [];
    if (!this.#isReading) void this.#close();
    this.#host.ended(this, cut);
  }

  async #close(): Promise<void> {
    const song = this.#song;
    this.#song = undefined;
    try {
      await song?.close();
    } catch (error) {
      this.#host.failed(this, error);
    }
  }
}
