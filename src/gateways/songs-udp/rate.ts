/**
 * How fast a reliable transfer goes: told by what is lost, once a round. The rule is the one of loss-based control in
 * Google's congestion control for RTC (draft-ietf-rmcat-gcc-02, section 6): less than 2 % lost is noise, up to 10 % is
 * a link that loses by itself, and only more means that it is full. Until the first round with a loss it grows faster.
 */
import { reliableFloorMbps, reliableStartMbps } from "../../base/limits/songs.ts";
import { maxDatagramBytes } from "../../wire/reliable-udp.ts";

const bytesPerMegabit = 125_000;
/** The shortest round; a longer round trip makes a longer one. */
const leastRoundMs = 50;
/** Fewer blocks in a round say nothing. */
const leastBlocks = 10;
const longestRoundMs = 1000;
/** A rate of which less was used than this has not shown that it holds, so it does not grow. */
const leastUse = 0.5;
const noise = 0.02;
const full = 0.1;
const firstGrowth = 1.5;
const growth = 1.08;

export class Rate {
  /** Bytes a second. */
  current: number;
  readonly #most: number;
  #sent = 0;
  #lost = 0;
  #hasLost = false;
  #roundFrom: number;

  /** `most` in bytes a second, `now` in milliseconds. */
  constructor(most: number, now: number) {
    this.#most = most;
    this.#roundFrom = now;
    this.current = Math.min(most, reliableStartMbps * bytesPerMegabit);
  }

  /** Blocks that were sent, and that were found lost, since the last call. */
  note(sent: number, lost: number): void {
    this.#sent += sent;
    this.#lost += lost;
  }

  /** Ends the round if it is over. Times in milliseconds. */
  look(now: number, roundTripMs: number): void {
    const ms = now - this.#roundFrom;
    if (ms < Math.max(leastRoundMs, roundTripMs)) return;
    if (this.#sent >= leastBlocks) {
      const used = (this.#sent * maxDatagramBytes) / ((this.current * ms) / 1000);
      this.#turn(Math.min(1, this.#lost / this.#sent), used > leastUse);
    } else if (ms < longestRoundMs) return;
    this.#roundFrom = now;
    this.#sent = 0;
    this.#lost = 0;
  }

  #turn(loss: number, isUsed: boolean): void {
    this.#hasLost ||= loss > noise;
    if (loss > full) this.current *= 1 - loss / 2;
    else if (loss <= noise && isUsed) this.current *= this.#hasLost ? growth : firstGrowth;
    const least = Math.min(this.#most, reliableFloorMbps * bytesPerMegabit);
    this.current = Math.min(this.#most, Math.max(least, this.current));
  }
}
