/**
 * A song by the old protocol: its bytes in datagrams of 1024, and one that is shorter at the end. What cannot be read to
 * its end gets no end: a client must not take a part for the whole.
 */
import { toWavecacheError } from "../../base/errors.ts";
import { udpReadBytes } from "../../base/limits/songs.ts";
import { songDatagramBytes } from "../../wire/song-udp.ts";
import type { Cut, Peer, Transfer, TransferHost, UdpSong } from "./transfer.ts";

const nothing = new Uint8Array(0);

export class PlainTransfer implements Transfer {
  readonly peer: Peer;
  readonly name: string;
  readonly bytesPerSecond: number;
  readonly #host: TransferHost;
  #song: UdpSong | undefined;
  /** Read and not sent. */
  #waiting: Uint8Array[] = [];
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

  /** Opens the song and begins to send; a song that is not there is an empty datagram. */
  async start(): Promise<void> {
    try {
      this.#song = await this.#host.open(this.name);
      if (this.#isOver) return await this.#close();
    } catch (error) {
      if (toWavecacheError(error).code === "SONG_UNKNOWN") this.#host.answer(this.peer, nothing);
      this.#fail(error);
    }
    await this.#fill();
  }

  ready(most: number): readonly Uint8Array[] {
    return this.#waiting.slice(0, most);
  }

  sent(count: number): void {
    this.#waiting = this.#waiting.slice(count);
    if (this.#waiting.length > 0 || !this.#isRead) void this.#fill();
    else this.#end(undefined);
  }

  /** Nothing but sending it moves it on. */
  look(): void {}

  cut(cause: Cut): void {
    this.#end(cause);
  }

  /** Reads on while little is waiting: at most two reads are in memory. */
  async #fill(): Promise<void> {
    if (this.#song === undefined || this.#isReading || this.#isRead) return;
    if (this.#waiting.length * songDatagramBytes > udpReadBytes / 2) return;
    this.#isReading = true;
    try {
      const length = Math.min(udpReadBytes, this.#song.size - this.#readTo);
      const bytes = await this.#song.read(this.#readTo, length);
      this.#readTo += length;
      this.#isRead = this.#readTo === this.#song.size;
      this.#waiting.push(...datagramsOf(bytes, this.#isRead));
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

  #end(cut: Cut | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = [];
    if (!this.#isReading) void this.#close();
    this.#host.over(this, cut);
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

/** Views of 1024 bytes; the last one is shorter, maybe empty, if `isLast`. A read is a multiple of 1024 otherwise. */
function datagramsOf(bytes: Uint8Array, isLast: boolean): Uint8Array[] {
  const datagrams: Uint8Array[] = [];
  const end = isLast ? bytes.length + 1 : bytes.length;
  for (let at = 0; at < end; at += songDatagramBytes)
    datagrams.push(bytes.subarray(at, at + songDatagramBytes));
  return datagrams;
}
