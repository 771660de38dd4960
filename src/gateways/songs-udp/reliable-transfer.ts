/**
 * A song by the reliable protocol (docs/reliable-udp.md). The ACKs of the client drive it: they carry the missing blocks
 * and the window, and show that the client is alive. Sent blocks are not kept in memory: a retransmission reads again.
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
import type { CutReason, Peer, Transfer, TransferHost, UdpSong } from "./transfer.ts";

/** Blocks of one read. */
const readBlocks = Math.floor(udpReadBytes / blockBytes);
/** A missing block counts as lost only after a round trip and this long: the network may have reordered it. */
const reorderMs = 15;
/** Extra time for blocks after the last one seen: no later block can show that they are lost. */
const tailMs = 40;
/** Round trip time until one is measured. */
const assumedRoundTripMs = 100;

interface QueuedBlock {
  block: number;
  datagram: Uint8Array;
}

export class ReliableTransfer implements Transfer {
  readonly name: string;
  readonly id: bigint;
  readonly #host: TransferHost;
  readonly #maxBytesPerSecond: number;
  #peer: Peer;
  #moves = 0;
  #isUnreachable = false;
  #rate: Rate;
  readonly #hash = createHash("sha256");
  #song: UdpSong | undefined;
  #sha256: Buffer | undefined;
  #error: ErrorCode | undefined;
  #isReading = false;
  #isOver = false;
  #isComplete = false;
  #lastHeardAt: number;
  #smoothedRoundTripMs: number | undefined;
  #blocks = 0;
  /** The client has every block below this. */
  #acked = 0;
  /** The client's window: blocks below this may be sent. */
  #limit: number;
  /** Blocks below this were read at least once. */
  #readTo = 0;
  /** Blocks below this were sent at least once. */
  #sentTo = 0;
  #queue: QueuedBlock[] = [];
  /** Lost blocks to read again. */
  #lost: number[] = [];
  /** Lost blocks that are not sent again yet: to be read, or queued. */
  readonly #retransmitting = new Set<number>();
  /** When each block was last sent, by its number modulo the window. */
  readonly #sentAt = new Float64Array(reliableWindowBlocks);

  /** `now` in milliseconds. */
  constructor(
    peer: Peer,
    request: { name: string; transfer: bigint; limit: number },
    maxBytesPerSecond: number,
    now: number,
    host: TransferHost,
  ) {
    this.#peer = peer;
    this.name = request.name;
    this.id = request.transfer;
    this.#limit = Math.min(request.limit, reliableWindowBlocks);
    this.#maxBytesPerSecond = maxBytesPerSecond;
    this.#rate = new Rate(maxBytesPerSecond, now);
    this.#lastHeardAt = now;
    this.#host = host;
  }

  get peer(): Peer {
    return this.#peer;
  }

  /** How often the address of the client has changed. */
  get moves(): number {
    return this.#moves;
  }

  get bytesPerSecond(): number {
    return this.#rate.current;
  }

  /** Opens the song, sends its description, and starts to send blocks. */
  async start(): Promise<void> {
    try {
      const song = await this.#host.open(this);
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
    await this.#readAhead();
  }

  /**
   * The client has shown that it receives at another address: a NAT has forgotten the old one, or it is on another
   * network. Rate and round-trip time of the new path are unknown.
   */
  moveTo(peer: Peer, now: number): void {
    this.#peer = peer;
    this.#moves += 1;
    this.#rate = new Rate(this.#maxBytesPerSecond, now);
    this.#smoothedRoundTripMs = undefined;
    this.repeat(now);
  }

  /** The client repeats its request: the answer was lost. */
  repeat(now: number): void {
    this.#heard(now);
    if (this.#error !== undefined) this.#answerWithError(this.#error);
    else if (this.#song !== undefined) this.#answerWithSong(this.#song);
  }

  acknowledge(ack: AckMessage, now: number): void {
    this.#heard(now);
    if (this.#error !== undefined) return this.#answerWithError(this.#error);
    if (this.#song === undefined || ack.next > this.#sentTo || ack.seen > this.#sentTo) return;
    this.#measureRoundTrip(ack, now);
    this.#acked = Math.max(this.#acked, ack.next);
    this.#limit = Math.max(this.#limit, Math.min(ack.limit, this.#acked + reliableWindowBlocks));
    this.#findLost(ack, now);
    if (this.#acked === this.#blocks) this.#finish();
    else void this.#readAhead();
  }

  /** The client closed the transfer, with the whole song or without. */
  closed(isComplete: boolean): void {
    this.#end(isComplete || this.#isComplete ? undefined : "not wanted");
  }

  ready(maxDatagrams: number): readonly Uint8Array[] {
    if (this.#isUnreachable) return [];
    const stamp = Math.floor(performance.now()) >>> 0;
    return this.#queue.slice(0, maxDatagrams).map(({ datagram }) => {
      stampData(datagram, stamp);
      return datagram;
    });
  }

  sent(count: number): void {
    const now = performance.now();
    for (const { block } of this.#queue.slice(0, count)) {
      this.#sentTo = Math.max(this.#sentTo, block + 1);
      this.#sentAt[block % reliableWindowBlocks] = now;
      this.#retransmitting.delete(block);
    }
    this.#queue = this.#queue.slice(count);
    this.#rate.count(count, 0);
    void this.#readAhead();
  }

  tick(now: number): void {
    const silentMs = now - this.#lastHeardAt;
    if (this.#isComplete && silentMs > reliableLingerMs) this.#end(undefined);
    else if (this.#error !== undefined && silentMs > reliableLingerMs) this.#end(this.#error);
    else if (silentMs > reliableIdleMs) this.#end("client gone");
    else this.#rate.update(now, this.#roundTripMs);
  }

  /** Sends nothing until the client is heard again: its address may have changed, or the report may be forged. */
  unreachable(): void {
    this.#isUnreachable = true;
  }

  cut(reason: CutReason): void {
    if (reason === "SHUTTING_DOWN" && !this.#isComplete) this.#answerWithError(reason);
    this.#end(reason);
  }

  #heard(now: number): void {
    this.#lastHeardAt = now;
    if (!this.#isUnreachable) return;
    this.#isUnreachable = false;
    this.#host.wake();
  }

  #measureRoundTrip({ stamp, heldMs, seen }: AckMessage, now: number): void {
    const roundTripMs = ((Math.floor(now) - stamp) >>> 0) - heldMs;
    if (seen > 0 && roundTripMs >= 0 && roundTripMs < reliableIdleMs)
      this.#smoothedRoundTripMs = roundTripMs / 8 + (this.#smoothedRoundTripMs ?? roundTripMs) * (7 / 8);
    this.#rate.update(now, this.#roundTripMs);
  }

  get #roundTripMs(): number {
    return this.#smoothedRoundTripMs ?? assumedRoundTripMs;
  }

  /** Finds blocks that the client misses, and blocks after the last one it has seen, that were sent long enough ago. */
  #findLost({ missing, seen }: AckMessage, now: number): void {
    const before = now - this.#roundTripMs - reorderMs;
    let lost = 0;
    for (const { from, to } of missing) lost += this.#markLost(from, to, before);
    const tailFrom = Math.max(seen, this.#acked);
    lost += this.#markLost(tailFrom, this.#sentTo, before - tailMs - this.#roundTripMs / 2);
    this.#rate.count(0, lost);
  }

  /** Marks blocks last sent before `before` as lost. Returns how many. */
  #markLost(from: number, to: number, before: number): number {
    const knownLost = this.#lost.length;
    for (let block = Math.max(from, this.#acked); block < Math.min(to, this.#sentTo); block += 1) {
      if (this.#sentAt[block % reliableWindowBlocks]! > before || this.#retransmitting.has(block)) continue;
      this.#retransmitting.add(block);
      this.#lost.push(block);
    }
    return this.#lost.length - knownLost;
  }

  /** Reads lost blocks first, then new ones, until the queue is half full. */
  async #readAhead(): Promise<void> {
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
    if (this.#isOver || this.#error !== undefined || this.#queue.length > readBlocks / 2) return false;
    return this.#lost.length > 0 || this.#readTo < Math.min(this.#blocks, this.#limit);
  }

  async #readLost(song: UdpSong): Promise<void> {
    const blocks = this.#lost.splice(0, readBlocks).filter((block) => this.#isStillLost(block));
    const read = await Promise.all(blocks.map((block) => this.#readBlocks(song, block, block + 1)));
    this.#queue.unshift(...read.flatMap((bytes, at) => this.#datagramsOf(bytes, blocks[at]!)));
  }

  #isStillLost(block: number): boolean {
    if (block < this.#acked) this.#retransmitting.delete(block);
    return block >= this.#acked;
  }

  async #readNext(song: UdpSong): Promise<void> {
    const to = Math.min(this.#blocks, this.#limit, this.#readTo + readBlocks);
    const bytes = await this.#readBlocks(song, this.#readTo, to);
    this.#queue.push(...this.#datagramsOf(bytes, this.#readTo));
    this.#readTo = to;
    if (this.#sha256 === undefined) await this.#digest(song, bytes);
  }

  /** Computes the digest of a song while it is sent for the first time. */
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

  #datagramsOf(bytes: Uint8Array, from: number): QueuedBlock[] {
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

  /** The client has every block: answers each of its ACKs with the digest, until it closes or falls silent. */
  #finish(): void {
    if (this.#sha256 === undefined) return;
    this.#isComplete = true;
    this.#answer({ type: "end", transfer: this.id, sha256: this.#sha256 });
  }

  /** From now on every message of the client gets this error, until the client falls silent. */
  #fail(error: unknown): void {
    if (this.#isOver || this.#error !== undefined) return;
    this.#error = toWavecacheError(error).code;
    this.#queue = [];
    this.#lost = [];
    if (this.#error !== "SONG_UNKNOWN") this.#host.failed(this, error);
    this.#answerWithError(this.#error);
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
