/**
 * Rate control of a reliable transfer, by the loss of each round. The rule is the loss-based controller of Google
 * Congestion Control (draft-ietf-rmcat-gcc-02, section 6): below 2 % loss the rate grows, up to 10 % it holds, since
 * some links lose at any rate, and above 10 % it shrinks. Until the first round with loss it grows faster.
 */
import { reliableFloorMbps, reliableStartMbps } from "../../base/limits/songs.ts";
import { maxDatagramBytes } from "../../wire/reliable-udp.ts";

const bytesPerMegabit = 125_000;
/** Shortest round. A round also lasts at least one round trip. */
const minRoundMs = 50;
/** A round with fewer blocks is extended: its loss would mean nothing. */
const minBlocks = 10;
/** A round of this length ends without a decision. */
const maxRoundMs = 1000;
/** Below this share in use the rate does not grow: the link has not shown that it carries more. */
const minUse = 0.5;
/** Loss up to this is noise. */
const noiseLoss = 0.02;
/** Loss above this is congestion. */
const congestionLoss = 0.1;
const startGrowth = 1.5;
const growth = 1.08;

export class Rate {
  /** Bytes a second. */
  current: number;
  readonly #maxBytesPerSecond: number;
  #sent = 0;
  #lost = 0;
  #hasLost = false;
  #roundFrom: number;

  /** `now` in milliseconds. */
  constructor(maxBytesPerSecond: number, now: number) {
    this.#maxBytesPerSecond = maxBytesPerSecond;
    this.#roundFrom = now;
    this.current = Math.min(maxBytesPerSecond, reliableStartMbps * bytesPerMegabit);
  }

  /** Counts blocks that were sent or detected lost. */
  count(sent: number, lost: number): void {
    this.#sent += sent;
    this.#lost += lost;
  }

  /** Ends the round if it is due. Times in milliseconds. */
  update(now: number, roundTripMs: number): void {
    const ms = now - this.#roundFrom;
    if (ms < Math.max(minRoundMs, roundTripMs)) return;
    if (this.#sent >= minBlocks) {
      const used = (this.#sent * maxDatagramBytes) / ((this.current * ms) / 1000);
      this.#adjust(Math.min(1, this.#lost / this.#sent), used > minUse);
    } else if (ms < maxRoundMs) return;
    this.#roundFrom = now;
    this.#sent = 0;
    this.#lost = 0;
  }

  #adjust(loss: number, isUsed: boolean): void {
    this.#hasLost ||= loss > noiseLoss;
    if (loss > congestionLoss) this.current *= 1 - loss / 2;
    else if (loss <= noiseLoss && isUsed) this.current *= this.#hasLost ? growth : startGrowth;
    const floor = Math.min(this.#maxBytesPerSecond, reliableFloorMbps * bytesPerMegabit);
    this.current = Math.min(this.#maxBytesPerSecond, Math.max(floor, this.current));
  }
}
