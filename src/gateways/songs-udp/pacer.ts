/**
 * Paces all transfers: each has a token bucket that fills at its own rate, and one bucket limits them together. Timers
 * are coarse (about 1.1 ms for 1 ms, more on a busy machine), so the clock decides what is due. A bucket holds at most
 * one burst: a late timer makes a transfer slower, but never causes loss.
 *
 * A burst is small compared to the receive buffer of a client: with the Linux default of 208 KiB about 90 datagrams of
 * 1024 bytes, since each takes 2304 bytes there.
 */
import { maxUdpBurstDatagrams, maxUdpTotalMbps, udpBurstDatagrams } from "../../base/limits/songs.ts";
import { songDatagramBytes } from "../../wire/song-udp.ts";
import type { Sent } from "./sender.ts";
import type { Transfer } from "./transfer.ts";

/** Sends the datagrams that are due. */
export interface PacedSender {
  send(transfer: Transfer, datagrams: readonly Uint8Array[]): Sent["state"];
}

const totalBytesPerMs = (maxUdpTotalMbps * 1_000_000) / 8 / 1000;
const minBurstBytes = udpBurstDatagrams * songDatagramBytes;
const maxBurstBytes = maxUdpBurstDatagrams * songDatagramBytes;
/** Burst of all transfers together after a pause. */
const totalBurstBytes = 8 * maxBurstBytes;
/** A burst is what a transfer sends in this time, within the limits. */
const burstMs = 4;

interface Bucket {
  bytes: number;
  filledAt: number;
}

export class Pacer {
  readonly #sender: PacedSender;
  readonly #buckets = new Map<Transfer, Bucket>();
  readonly #total: Bucket = { bytes: totalBurstBytes, filledAt: 0 };
  #timer: Timer | undefined;

  constructor(sender: PacedSender) {
    this.#sender = sender;
  }

  add(transfer: Transfer): void {
    this.#buckets.set(transfer, { bytes: minBurstBytes, filledAt: performance.now() });
  }

  remove(transfer: Transfer): void {
    this.#buckets.delete(transfer);
  }

  /** Call when a transfer has something to send. */
  wake(): void {
    this.#timer ??= setTimeout(() => this.#runRound(), 0);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#buckets.clear();
  }

  #runRound(): void {
    this.#timer = undefined;
    const now = performance.now();
    fill(this.#total, now, totalBytesPerMs, totalBurstBytes);
    let isWaiting = false;
    // A copy, since the loop changes the order.
    const round = [...this.#buckets];
    for (const [transfer, bucket] of round) {
      if (this.#total.bytes <= 0) {
        isWaiting = true;
        break;
      }
      if (this.#serve(transfer, bucket, now)) isWaiting = true;
      // Round-robin: a transfer that was served goes to the end.
      if (this.#buckets.delete(transfer)) this.#buckets.set(transfer, bucket);
    }
    if (isWaiting) this.#timer ??= setTimeout(() => this.#runRound(), 1);
  }

  /** Sends what is due of one transfer. Returns true if more is queued. */
  #serve(transfer: Transfer, bucket: Bucket, now: number): boolean {
    const bytesPerMs = transfer.bytesPerSecond / 1000;
    const burst = Math.min(maxBurstBytes, Math.max(minBurstBytes, bytesPerMs * burstMs));
    fill(bucket, now, bytesPerMs, burst);
    const datagrams = transfer.ready(maxUdpBurstDatagrams);
    if (datagrams.length === 0) return false;
    const due = datagrams.slice(0, Math.max(0, Math.floor(bucket.bytes / songDatagramBytes)));
    // Wait for a full burst unless less is queued: a system call costs the same for few datagrams as for many.
    if (due.length < Math.min(udpBurstDatagrams, datagrams.length)) return true;
    const bytes = due.reduce((sum, datagram) => sum + datagram.length, 0);
    if (this.#sender.send(transfer, due) === "gone") return false;
    bucket.bytes -= bytes;
    this.#total.bytes -= bytes;
    return true;
  }
}

function fill(bucket: Bucket, now: number, bytesPerMs: number, maxBytes: number): void {
  bucket.bytes = Math.min(maxBytes, bucket.bytes + (now - bucket.filledAt) * bytesPerMs);
  bucket.filledAt = now;
}
