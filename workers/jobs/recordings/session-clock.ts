/**
 * Places the samples of one connection in time. Within a session they follow each other at the sample rate, whatever the
 * arrival of single frames does: networks delay frames, and deliver many at once afterwards.
 *
 * A session begins where its first frame arrives, by the system's clock. From there on the connection goes by the
 * monotonic clock. A segment whose frames all arrive more than `recordingPauseMs` after their time begins another
 * session at that later time: the device has paused, or its sample clock is slow. A delay that the device catches up on
 * within the segment, and within `sessionSettleMs`, changes nothing. A fast sample clock runs ahead until the device connects again, since audio that
 * was recorded must not be dropped for it.
 */
import {
  maxFilledMs,
  maxSegmentLosses,
  recordingPauseMs,
  sessionSettleMs,
} from "../../../src/base/limits/recordings.ts";
import type { Loss, Placement } from "../../../src/base/recording-entry.ts";

export interface Connection {
  /** Unique among all connections. */
  connection: string;
  run: string;
  /** In Hz. */
  sampleRate: number;
  deviceTimeMs: number;
}

const usPerSecond = 1_000_000;
/** The latest time that dates can express; a device without a clock sends 0 or nonsense. */
const maxTimeMs = 8_640_000_000_000_000;

export class SessionClock {
  readonly #connection: Connection;
  /** The system's clock minus the monotonic one, when the connection began. */
  #offsetUs: number | undefined;
  #steppedMs = 0;
  #number = 0;
  #startUs = 0;
  /** Samples of the session before the open segment. */
  #position = 0;
  #losses: Loss[] = [];
  #lostSamples = 0;
  #openedMs = 0;
  /** How long after their time the samples of the segment arrived, at the earliest. */
  #minDelayUs = Infinity;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Opens a segment, whose placement may still change until it is closed. `nowMs` is of the monotonic clock. */
  open(nowMs: number, wallMs: number): Placement {
    if (this.#offsetUs === undefined) {
      this.#offsetUs = (wallMs - nowMs) * 1000;
      this.#steppedMs = Math.round(wallMs - performance.timeOrigin - nowMs);
      this.#startUs = wallMs * 1000;
    }
    this.#losses = [];
    this.#lostSamples = 0;
    this.#minDelayUs = Infinity;
    this.#openedMs = nowMs;
    return this.#placement();
  }

  /**
   * The placement of the segment that was just opened, if the device does not catch up on the delay of its first frame;
   * undefined if that is on time.
   */
  get latePlacement(): Placement | undefined {
    const delayUs = this.#delayUs(0, this.#openedMs);
    if (!this.#isPause(delayUs)) return undefined;
    return {
      ...this.#placement(),
      session: this.#keyOf(this.#number + 1),
      sessionStartUs: this.#startAfter(delayUs),
      position: 0,
    };
  }

  /** Samples have arrived, of which the first is this one of the segment. */
  heard(at: number, nowMs: number): void {
    this.#minDelayUs = Math.min(this.#minDelayUs, this.#delayUs(at, nowMs));
    if (this.#isLate && nowMs - this.#openedMs >= sessionSettleMs) this.#beginSession();
  }

  /**
   * Frames were lost after this many samples of the segment. A device that restarts may skip millions of numbers: a
   * loss above `maxFilledMs` counts only as far as time has passed.
   */
  lose(at: number, samples: number, nowMs: number): void {
    const passed = (Math.max(0, this.#delayUs(at, nowMs)) * this.#connection.sampleRate) / usPerSecond;
    const max = Math.max(passed, (maxFilledMs * this.#connection.sampleRate) / 1000);
    const lost = Math.min(samples, Math.floor(max));
    if (lost <= 0 || this.#losses.length === maxSegmentLosses) return;
    this.#losses.push({ at, samples: lost });
    this.#lostSamples += lost;
  }

  /** The final placement of the segment, which has this many samples. */
  close(samples: number): Placement {
    // A failed write may have taken the end of the segment with it.
    this.#losses = this.#losses.filter(({ at }) => at <= samples);
    if (this.#isLate) this.#beginSession();
    const placement = this.#placement();
    this.#position += samples + this.#lostSamples;
    this.#lostSamples = 0;
    this.#minDelayUs = Infinity;
    return placement;
  }

  /** The placement of the open segment, final but for further losses; undefined while its session is not known. */
  get current(): Placement | undefined {
    return this.#isLate ? undefined : this.#placement();
  }

  /**
   * Up to when it is known what was heard, in µs since 1970, if the open segment has this many samples. Null before the
   * first segment.
   */
  knownUntilUs(samples: number): number | null {
    if (this.#offsetUs === undefined) return null;
    const isKnown = !this.#isLate;
    return Math.floor(this.#timeOf(this.#position + (isKnown ? this.#lostSamples + samples : 0)));
  }

  /**
   * The time of a sample of the segment, in ms since 1970, as far as it is known by now. After `close` it counts from the
   * end of the segment. A sample may be before the segment.
   */
  timeMs(at: number): number {
    const timeUs = this.#timeOf(this.#position + this.#lostSamples + at);
    return (timeUs + (this.#isLate ? this.#minDelayUs : 0)) / 1000;
  }

  /** Whether the segment begins another session. */
  get #isLate(): boolean {
    return this.#minDelayUs !== Infinity && this.#isPause(this.#minDelayUs);
  }

  /** Whether a segment whose frames all have this delay begins another session. */
  #isPause(delayUs: number): boolean {
    return this.#position > 0 && delayUs > recordingPauseMs * 1000;
  }

  /** When a session begins with the segment. */
  #startAfter(delayUs: number): number {
    return Math.round(this.#timeOf(this.#position) + delayUs);
  }

  #keyOf(number: number): string {
    return `${this.#connection.connection}.${number}`;
  }

  #beginSession(): void {
    this.#startUs = this.#startAfter(this.#minDelayUs);
    this.#position = 0;
    this.#number += 1;
  }

  #placement(): Placement {
    const { run, deviceTimeMs } = this.#connection;
    return {
      session: this.#keyOf(this.#number),
      sessionStartUs: this.#startUs,
      run,
      steppedMs: this.#steppedMs,
      deviceTimeMs: deviceTimeMs > 0 && deviceTimeMs <= maxTimeMs ? deviceTimeMs : null,
      position: this.#position,
      losses: this.#losses,
    };
  }

  #delayUs(at: number, nowMs: number): number {
    return this.#offsetUs! + nowMs * 1000 - this.#timeOf(this.#position + this.#lostSamples + at);
  }

  /** The time of a sample of the session. */
  #timeOf(position: number): number {
    return this.#startUs + (position * usPerSecond) / this.#connection.sampleRate;
  }
}
