/**
 * Gives every transfer its turns: each has a bucket that fills with time, at the transfer's own rate, and there is one
 * for all of them together. Timers are coarse (about 1.1 ms for 1 ms, more on a busy machine), so what is due is told by
 * the clock; a bucket holds no more than one burst, so that a late timer makes a transfer slower and never lossy.
 *
 * A burst is small against what a client's socket holds: about 90 datagrams of 1024 bytes with Linux's default of
 * 208 KiB, since each takes 2304 bytes there.
 */
import { maxUdpBurstDatagrams, maxUdpTotalMbps, udpBurstDatagrams } from "../../base/limits/songs.ts";
import { songDatagramBytes } from "../../wire/song-udp.ts";
import type { Sent } from "./sender.ts";
import type { Transfer } from "./transfer.ts";

/** What the pacer does with what is due. */
export interface PacedGateway {
  send(transfer: Transfer, datagrams: readonly Uint8Array[]): Sent["state"];
}

const totalBytesPerMs = (maxUdpTotalMbps * 1_000_000) / 8 / 1000;
const leastBurstBytes = udpBurstDatagrams * songDatagramBytes;
const mostBurstBytes = maxUdpBurstDatagrams * songDatagramBytes;
/** All together may send this much at once after a pause. */
const totalBurstBytes = 8 * mostBurstBytes;
/** A burst is this much of a transfer's time, between the limits. */
const burstMs = 4;

interface Bucket {
  bytes: number;
  filledAt: number;
}

export class Pacer {
  readonly #door: PacedGateway;
  readonly #buckets = new Map<Transfer, Bucket>();
  readonly #total: Bucket = { bytes: totalBurstBytes, filledAt: 0 };
  #timer: Timer | undefined;

  constructor(door: PacedGateway) {
    this.#door = door;
  }

  add(transfer: Transfer): void {
    this.#buckets.set(transfer, { bytes: leastBurstBytes, filledAt: performance.now() });
  }

  remove(transfer: Transfer): void {
    this.#buckets.delete(transfer);
  }

  /** Some transfer has something to send. */
  wake(): void {
    this.#timer ??= setTimeout(() => this.#turn(), 0);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#buckets.clear();
  }

  #turn(): void {
    this.#timer = undefined;
    const now = performance.now();
    fill(this.#total, now, totalBytesPerMs, totalBurstBytes);
    let isWaiting = false;
    // A copy, since the order changes on the way.
    const turns = [...this.#buckets];
    for (const [transfer, bucket] of turns) {
      if (this.#total.bytes <= 0) {
        isWaiting = true;
        break;
      }
      if (this.#serve(transfer, bucket, now)) isWaiting = true;
      // Whoever had a turn comes last in the next one.
      if (this.#buckets.delete(transfer)) this.#buckets.set(transfer, bucket);
    }
    if (isWaiting) this.#timer ??= setTimeout(() => this.#turn(), 1);
  }

  /** Sends what is due of one transfer. Returns whether more waits. */
  #serve(transfer: Transfer, bucket: Bucket, now: number): boolean {
    const bytesPerMs = transfer.bytesPerSecond / 1000;
    const burst = Math.min(mostBurstBytes, Math.max(leastBurstBytes, bytesPerMs * burstMs));
    fill(bucket, now, bytesPerMs, burst);
    const datagrams = transfer.ready(maxUdpBurstDatagrams);
    if (datagrams.length === 0) return false;
    const due = datagrams.slice(0, Math.max(0, Math.floor(bucket.bytes / songDatagramBytes)));
    // Less than a burst only where there is no more: few datagrams at a time cost as much as many.
    if (due.length < Math.min(udpBurstDatagrams, datagrams.length)) return true;
    const bytes = due.reduce((sum, datagram) => sum + datagram.length, 0);
    if (this.#door.send(transfer, due) === "gone") return false;
    bucket.bytes -= bytes;
    this.#total.bytes -= bytes;
    return true;
  }
}

function fill(bucket: Bucket, now: number, bytesPerMs: number, most: number): void {
  bucket.bytes = Math.min(most, bucket.bytes + (now - bucket.filledAt) * bytesPerMs);
  bucket.filledAt = now;
}
