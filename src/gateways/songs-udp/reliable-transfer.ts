/**
 * A song by the reliable protocol (docs/reliable-udp.md). The client's ACKs drive it: they say what is missing, how far
 * it may go, and that somebody is there. Nothing sent is kept in memory: what is asked for again is read again.
 */
import { createHash } from "node:crypto";
import { type ErrorCode, toWavecacheError } from "../../base/errors.ts";
import {
  reliableIdleMs,
  reliableLingerMs,
  reliableWindowBlocks,
  udpReadBytes,
} from "../../base/limits/songs.ts";
import {
  type AckMessage,
  blockBytes,
  encodeData,
  encodeReliable,
  maxReliableSongBytes,
  type ReliableMessage,
  stampData,
} from "../../wire/reliable-udp.ts";
import { Rate } from "./rate.ts";
import type { Cut, Peer, Transfer, TransferHost, UdpSong } from "./transfer.ts";

/** Blocks read at once, and datagrams that wait to be sent. */
const readBlocks = Math.floor(udpReadBytes / blockBytes);
/** A block sent within a round trip and this much cannot be told lost: its place in the order may have changed. */
const reorderMs = 15;
/** The end of what was sent is told lost by time only. */
const tailMs = 40;
/** What a round trip takes as long as none was measured. */
const assumedRoundTripMs = 100;

interface Waiting {
  block: number;
  datagram: Uint8Array;
}

export class ReliableTransfer implements Transfer {
  readonly peer: Peer;
  readonly name: string;
  readonly id: bigint;
  readonly #host: TransferHost;
  readonly #rate: Rate;
  readonly #hash = createHash("sha256");
  #song: UdpSong | undefined;
  #sha256: Buffer | undefined;
  #error: ErrorCode | undefined;
  #isReading = false;
  #isOver = false;
  #isComplete = false;
  #lastHeardAt: number;
  #measuredMs: number | undefined;
  #blocks = 0;
  /** From the client: all below `#acked` is there, and all below `#limit` may be sent. */
  #acked = 0;
  #limit: number;
  /** Blocks below this were read for the first time, and blocks below `#sentTo` were sent. */
  #readTo = 0;
  #sentTo = 0;
  #waiting: Waiting[] = [];
  /** Lost blocks that are to be read again, and all that are on their way to being sent again. */
  #lost: number[] = [];
  readonly #repeated = new Set<number>();
  /** When a block was last sent, by its number modulo the window. */
  readonly #sentAt = new Float64Array(reliableWindowBlocks);

  /** `most` in bytes a second, `limit` and `now` as in the request. */
  constructor(
    peer: Peer,
    request: { name: string; transfer: bigint; limit: number },
    most: number,
    now: number,
    host: TransferHost,
  ) {
    this.peer = peer;
    this.name = request.name;
    this.id = request.transfer;
    this.#limit = Math.min(request.limit, reliableWindowBlocks);
    this.#rate = new Rate(most, now);
    this.#lastHeardAt = now;
    this.#host = host;
  }

  get bytesPerSecond(): number {
    return this.#rate.current;
  }

  /** Opens the song, says what it is, and begins to send. */
  async start(): Promise<void> {
    try {
      const song = await this.#host.open(this.name);
      this.#song = song;
      if (this.#isOver) return await this.#close();
      if (song.size > maxReliableSongBytes) throw new RangeError(`${song.size} bytes are too many blocks`);
      this.#blocks = Math.ceil(song.size / blockBytes);
      const known = song.size === 0 ? this.#hash.digest("hex") : song.sha256;
      if (known !== undefined) this.#sha256 = Buffer.from(known, "hex");
      this.#answerWithSong(song);
    } catch (error) {
      this.#fail(error);
    }
    await this.#fill();
  }

  /** The client asks again: it has not got the answer. */
  repeat(now: number): void {
    this.#lastHeardAt = now;
    if (this.#error !== undefined) this.#answerWithError(this.#error);
    else if (this.#song !== undefined) this.#answerWithSong(this.#song);
  }

  acknowledge(ack: AckMessage, now: number): void {
    this.#lastHeardAt = now;
    if (this.#error !== undefined) return this.#answerWithError(this.#error);
    if (this.#song === undefined || ack.next > this.#sentTo || ack.seen > this.#sentTo) return;
    this.#measure(ack, now);
    this.#acked = Math.max(this.#acked, ack.next);
    this.#limit = Math.max(this.#limit, Math.min(ack.limit, this.#acked + reliableWindowBlocks));
    this.#findLost(ack, now);
    if (this.#acked === this.#blocks) this.#finish();
    else void this.#fill();
  }

  /** The client has all of it, or does not want it any more. */
  closed(complete: boolean): void {
    this.#end(complete || this.#isComplete ? undefined : "not wanted");
  }

  ready(most: number): readonly Uint8Array[] {
    const stamp = Math.floor(performance.now()) >>> 0;
    return this.#waiting.slice(0, most).map(({ datagram }) => {
      stampData(datagram, stamp);
      return datagram;
    });
  }

  sent(count: number): void {
    const now = performance.now();
    for (const { block } of this.#waiting.slice(0, count)) {
      this.#sentTo = Math.max(this.#sentTo, block + 1);
      this.#sentAt[block % reliableWindowBlocks] = now;
      this.#repeated.delete(block);
    }
    this.#waiting = this.#waiting.slice(count);
    this.#rate.note(count, 0);
    void this.#fill();
  }

  look(now: number): void {
    const silentMs = now - this.#lastHeardAt;
    if (this.#isComplete && silentMs > reliableLingerMs) this.#end(undefined);
    else if (this.#error !== undefined && silentMs > reliableLingerMs) this.#end(this.#error);
    else if (silentMs > reliableIdleMs) this.#end("client gone");
    else this.#rate.look(now, this.#roundTripMs);
  }

  cut(cause: Cut): void {
    if (cause === "SHUTTING_DOWN" && !this.#isComplete) this.#answerWithError(cause);
    this.#end(cause);
  }

  #measure({ stamp, heldMs, seen }: AckMessage, now: number): void {
    const trip = ((Math.floor(now) - stamp) >>> 0) - heldMs;
    if (seen > 0 && trip >= 0 && trip < reliableIdleMs)
      this.#measuredMs = trip / 8 + (this.#measuredMs ?? trip) * (7 / 8);
    this.#rate.look(now, this.#roundTripMs);
  }

  get #roundTripMs(): number {
    return this.#measuredMs ?? assumedRoundTripMs;
  }

  /** What the client misses and what was sent behind the last that it has seen, if that was long enough ago. */
  #findLost({ missing, seen }: AckMessage, now: number): void {
    const before = now - this.#roundTripMs - reorderMs;
    let lost = 0;
    for (const { from, to } of missing) lost += this.#repeatIfOlder(from, to, before);
    const tailFrom = Math.max(seen, this.#acked);
    lost += this.#repeatIfOlder(tailFrom, this.#sentTo, before - tailMs - this.#roundTripMs / 2);
    this.#rate.note(0, lost);
  }

  #repeatIfOlder(from: number, to: number, before: number): number {
    const known = this.#lost.length;
    for (let block = Math.max(from, this.#acked); block < Math.min(to, this.#sentTo); block += 1) {
      if (this.#sentAt[block % reliableWindowBlocks]! > before || this.#repeated.has(block)) continue;
      this.#repeated.add(block);
      this.#lost.push(block);
    }
    return this.#lost.length - known;
  }

  /** Reads on while little is waiting, the lost blocks first. */
  async #fill(): Promise<void> {
    if (this.#isReading || this.#isComplete) return;
    this.#isReading = true;
    try {
      for (let song = this.#song; song !== undefined && this.#mayRead(); song = this.#song) {
        if (this.#lost.length > 0) await this.#readLost(song);
        else await this.#readNext(song);
        this.#host.wake();
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isReading = false;
      if (this.#isOver) await this.#close();
    }
  }

  #mayRead(): boolean {
    if (this.#isOver || this.#error !== undefined || this.#waiting.length > readBlocks / 2) return false;
    return this.#lost.length > 0 || this.#readTo < Math.min(this.#blocks, this.#limit);
  }

  async #readLost(song: UdpSong): Promise<void> {
    const blocks = this.#lost.splice(0, readBlocks).filter((block) => this.#isStillLost(block));
    const read = await Promise.all(blocks.map((block) => this.#readBlocks(song, block, block + 1)));
    this.#waiting.unshift(...read.flatMap((bytes, at) => this.#datagramsOf(bytes, blocks[at]!)));
  }

  #isStillLost(block: number): boolean {
    if (block < this.#acked) this.#repeated.delete(block);
    return block >= this.#acked;
  }

  async #readNext(song: UdpSong): Promise<void> {
    const to = Math.min(this.#blocks, this.#limit, this.#readTo + readBlocks);
    const bytes = await this.#readBlocks(song, this.#readTo, to);
    this.#waiting.push(...this.#datagramsOf(bytes, this.#readTo));
    this.#readTo = to;
    if (this.#sha256 === undefined) await this.#digest(song, bytes);
  }

  /** The digest of a song is made while it is sent for the first time. */
  async #digest(song: UdpSong, bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    if (this.#readTo < this.#blocks) return;
    this.#sha256 = this.#hash.digest();
    await song.noteDigest(this.#sha256.toString("hex"));
  }

  #readBlocks(song: UdpSong, from: number, to: number): Promise<Uint8Array> {
    const at = from * blockBytes;
    return song.read(at, Math.min(song.size, to * blockBytes) - at);
  }

  #datagramsOf(bytes: Uint8Array, from: number): Waiting[] {
    return Array.from({ length: Math.ceil(bytes.length / blockBytes) }, (_, index) => {
      const part = bytes.subarray(index * blockBytes, (index + 1) * blockBytes);
      return { block: from + index, datagram: encodeData(this.id, from + index, 0, part) };
    });
  }

  #answerWithSong({ size }: UdpSong): void {
    this.#answer({ type: "song", transfer: this.id, size, blockBytes, sha256: this.#sha256 });
  }

  #answerWithError(code: ErrorCode): void {
    this.#answer({ type: "error", transfer: this.id, code });
  }

  #answer(message: ReliableMessage): void {
    this.#host.answer(this.peer, encodeReliable(message));
  }

  /** The client has every block. It is told the digest as often as it says so, until it closes or falls silent. */
  #finish(): void {
    if (this.#sha256 === undefined) return;
    this.#isComplete = true;
    this.#answer({ type: "end", transfer: this.id, sha256: this.#sha256 });
  }

  /** The client is told as often as it asks, until it falls silent. */
  #fail(error: unknown): void {
    if (this.#isOver || this.#error !== undefined) return;
    this.#error = toWavecacheError(error).code;
    this.#waiting = [];
    this.#lost = [];
    if (this.#error !== "SONG_UNKNOWN") this.#host.failed(this, error);
    this.#answerWithError(this.#error);
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
