/**
 * A period whose end is to come, as plans of one part after the other: each reaches as far as it is known what was heard.
 * That is where the written audio of the device ends; or now, if it sends none and a connection would have to begin; or
 * `followLateMs` ago, whatever is still on its way. Sample `n` is the same one that a request has which comes later.
 */
import { followLateMs } from "../../../base/limits/recordings.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { Period } from "../../../store/recordings/timeline/catalog.ts";
import { type GapRule, type Plan, type PlanOptions, type PlannedFormat, samplesUntil } from "./plan.ts";

/** Where the parts come from. */
export interface PeriodSource {
  /** Up to when it is known what a device sent, in µs since 1970. */
  knownUntil(period: Period): Promise<number>;
  plan(period: Period, options: Omit<PlanOptions, "fromUs" | "toUs">): Promise<Plan>;
}

export class FollowedPeriod {
  readonly format: PlannedFormat;
  readonly fromUs: number;
  /** Samples per channel of the whole period. */
  readonly samples: number;
  readonly #source: PeriodSource;
  readonly #period: Period;
  readonly #gaps: GapRule;
  readonly #onClose: () => void;
  /** Samples that were planned. */
  #cursor = 0;
  #isClosed = false;

  constructor(
    source: PeriodSource,
    period: Period,
    { gaps, format }: { gaps: GapRule; format: PlannedFormat },
    onClose: () => void,
  ) {
    this.#source = source;
    this.#period = period;
    this.#gaps = gaps;
    this.format = format;
    this.fromUs = period.fromUs;
    this.samples = samplesUntil(period, format.sampleRate);
    this.#onClose = onClose;
  }

  /** All of the period is planned. */
  get isOver(): boolean {
    return this.#cursor >= this.samples;
  }

  /**
   * The next part, whose first sample is `plan.first`; undefined if nothing more is known yet. Calls must not overlap.
   * Rejects with RECORDING_GAP, FORMAT_CHANGES.
   */
  async next(): Promise<Plan | undefined> {
    const nowUs = sharedNow() * 1000;
    const knownUs = Math.max(await this.#source.knownUntil(this.#period), nowUs - followLateMs * 1000);
    const part = { ...this.#period, toUs: Math.min(knownUs, this.#period.toUs) };
    const end = samplesUntil(part, this.format.sampleRate);
    if (end <= this.#cursor) return undefined;
    const following = { cursor: this.#cursor, format: this.format };
    const plan = await this.#source.plan(part, { gaps: this.#gaps, resampleRate: undefined, following });
    this.#cursor = end;
    return plan;
  }

  /** Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#onClose();
  }
}
