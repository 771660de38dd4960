/**
 * Delivers events to one consumer for as long as this node owns it: each at least once, and those of a subject in their
 * order. Subjects do not wait for each other. An event that fails is tried again, and those of its subject wait behind it:
 *
 *     read --> in flight --> done
 *                 | ^
 *                 v |
 *               waiting --> given up        (in the catalog, with what waits behind it)
 *
 * The position in the catalog is before all events that have no row there, so a crash repeats some and loses none, and so
 * does another node that owns the consumer next.
 */
import {
  deliverySaveMs,
  maxDeadDeliveries,
  maxDeliveriesAtOnce,
  maxOpenDeliveries,
  maxWaitingDeliveries,
} from "../../../base/limits/events.ts";
import { toWavecacheError } from "../../../base/errors.ts";
import type { Log } from "../../../base/log/log.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { KeeperClient } from "../../../pool/keeper-client.ts";
import type { DeliveryRow } from "../../../store/events/deliveries.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import type { EventFilter } from "../event-filter.ts";
import type { EventLog } from "../event-log.ts";
import { EventReader } from "../event-reader.ts";

/** When a failed delivery is tried again. */
export interface RetryPolicy {
  firstMs: number;
  maxMs: number;
  /** It is given up this long after its first failure; 0 tries it once. */
  giveUpMs: number;
}

export interface DeliverySettings {
  /** Unique among all consumers; the catalog knows it by this name. */
  consumer: string;
  /** A hash of what is configured for it, which tells whether nodes have the same. */
  config: () => string;
  filter: EventFilter;
  /** This node delivers from now on. */
  owned?: () => void;
  retry: RetryPolicy;
  /** Rejects if the consumer has not got the event. */
  deliver: (event: EventRow, signal: AbortSignal) => Promise<void>;
}

interface Pending extends DeliveryRow {
  /** The catalog has a row for it. */
  isSaved: boolean;
}

/** What deliveries need of the event log, and of the keeper. */
export type DeliveryEvents = Pick<EventLog, "page" | "watch">;
export type DeliveryKeeper = Pick<KeeperClient, "call">;

export interface RunParts {
  events: DeliveryEvents;
  keeper: DeliveryKeeper;
  settings: DeliverySettings;
  report: DeliveryReport;
  log: Log;
  /** The catalog takes nothing of this run any more: another node owns the consumer. */
  onLost: () => void;
}

/** What happened over all runs of this process. */
export class DeliveryReport {
  readonly figures = { delivered: 0, failed: 0, dead: 0, missed: 0 };
  lastError: string | undefined;
}

/** How this node came to own the consumer. */
export interface RunClaim {
  epoch: number;
  position: number;
  /** The claim holds until this time of the monotonic clock. */
  untilMs: number;
}

/** So many failures in a row mean that the consumer is down: its first success wakes everything that waits. */
const failuresWhenDown = 3;

export class DeliveryRun {
  readonly epoch: number;
  readonly #parts: RunParts;
  readonly #abort = new AbortController();
  readonly #reader: EventReader;
  /** The events of each subject, oldest first; only the first one is in flight or waits for its time. */
  readonly #subjects = new Map<string, Pending[]>();
  readonly #open = new Map<number, Pending>();
  readonly #timers = new Map<string, Timer>();
  readonly #changed = new Set<Pending>();
  #done: number[] = [];
  #untilMs: number;
  #isLost = false;
  readonly #running: Promise<void>;
  #inFlight = 0;
  #ready: string[] = [];
  #failuresInRow = 0;
  #saveTimer: Timer | undefined;
  #saving: Promise<void> = Promise.resolve();
  #wake: () => void = () => {};

  /** Begins after `position`, and with these events, which the catalog has rows of. */
  constructor(parts: RunParts, { epoch, position, untilMs }: RunClaim, rows: readonly DeliveryRow[]) {
    this.#parts = parts;
    this.epoch = epoch;
    this.#untilMs = untilMs;
    const { filter } = parts.settings;
    const isWanted = (event: EventRow) => filter.matches(event) && !this.#open.has(event.id);
    this.#reader = new EventReader(parts.events, position, isWanted);
    for (const row of rows) this.#enter(this.#loaded(row));
    this.#running = this.#run(this.#reader);
  }

  /** Events that are not delivered yet, as far as they were read. */
  get pending(): number {
    return this.#open.size;
  }

  get position(): number {
    const unsaved = [...this.#open.values()].filter(({ isSaved }) => !isSaved).map(({ id }) => id);
    return unsaved.length === 0 ? this.#reader.position : Math.min(...unsaved) - 1;
  }

  /** The claim holds until then. */
  renew(untilMs: number): void {
    this.#untilMs = untilMs;
    this.#startReady();
  }

  /** Takes up the events that were given up and are to be delivered again, before those of their subjects that wait. */
  async takeRevived(): Promise<void> {
    const taken = this.#saving.then(() => this.#takeRevived());
    this.#saving = taken.catch(() => {});
    await taken;
  }

  /** Nothing else is saved meanwhile, so what is done by the answer is still in `#done`. */
  async #takeRevived(): Promise<void> {
    const { keeper, settings } = this.#parts;
    await this.#save();
    const { consumer } = settings;
    const rows = await keeper.call("waitingDeliveries", { consumer, limit: maxWaitingDeliveries });
    const known = new Set([...this.#open.keys(), ...this.#done]);
    for (const row of rows) if (!known.has(row.id)) this.#enter(this.#loaded(row));
  }

  /** The time of the next attempt may be of a node whose clock is ahead. */
  #loaded(row: DeliveryRow): Pending {
    const latest = sharedNow() + delayMs(this.#parts.settings.retry, row.attempts);
    return { ...row, nextAt: Math.min(row.nextAt, latest), isSaved: true };
  }

  /** Ends what is in flight: the next run delivers it again. */
  async close(): Promise<void> {
    await this.#end();
    await this.#save();
  }

  /** Ends without a trace in the catalog, as another node owns the consumer. */
  async abandon(): Promise<void> {
    this.#isLost = true;
    await this.#end();
  }

  async #end(): Promise<void> {
    this.#abort.abort();
    this.#reader.close();
    this.#wake();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#running;
    clearTimeout(this.#saveTimer);
    await this.#saving;
  }

  async #run(reader: EventReader): Promise<void> {
    while (!this.#abort.signal.aborted) {
      try {
        await this.#readOnce(reader);
      } catch (error) {
        const { settings, log } = this.#parts;
        const { consumer, retry } = settings;
        log.warn("events could not be read for a consumer", { consumer, error: toWavecacheError(error) });
        await Bun.sleep(retry.firstMs);
      }
    }
  }

  async #readOnce(reader: EventReader): Promise<void> {
    if (this.#open.size >= maxOpenDeliveries) return await this.#room();
    const before = reader.position;
    const { events, hasGap } = await reader.next(idleWaitMs);
    if (hasGap) this.#reportGap(before);
    for (const event of events) this.#enter(pendingOf(event));
    if (reader.position !== before) this.#saveSoon();
  }

  #reportGap(after: number): void {
    const { settings, report, log } = this.#parts;
    report.figures.missed += 1;
    const { consumer } = settings;
    log.error("events were removed before they were delivered", { consumer, after });
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #enter(pending: Pending): void {
    this.#open.set(pending.id, pending);
    const queue = this.#subjects.get(pending.subject);
    if (queue === undefined) {
      this.#subjects.set(pending.subject, [pending]);
      return this.#schedule(pending);
    }
    const at = queue.findLastIndex(({ id }) => id < pending.id) + 1;
    // The first one may be in flight.
    queue.splice(Math.max(1, at), 0, pending);
    if (queue[0]!.isSaved) this.#change(pending);
  }

  #schedule({ subject, nextAt }: Pending): void {
    const waitMs = nextAt - sharedNow();
    if (waitMs <= 0) return this.#becomeReady(subject);
    clearTimeout(this.#timers.get(subject));
    this.#timers.set(
      subject,
      setTimeout(() => this.#becomeReady(subject), waitMs),
    );
  }

  #becomeReady(subject: string): void {
    clearTimeout(this.#timers.get(subject));
    this.#timers.delete(subject);
    this.#ready.push(subject);
    this.#startReady();
  }

  #startReady(): void {
    while (this.#inFlight < maxDeliveriesAtOnce && this.#ready.length > 0 && this.#mayBegin()) {
      const subject = this.#ready.shift()!;
      void this.#attempt(this.#subjects.get(subject)![0]!);
    }
  }

  /** Without a claim that holds, another node may deliver. */
  #mayBegin(): boolean {
    return !this.#abort.signal.aborted && performance.now() < this.#untilMs;
  }

  async #attempt(pending: Pending): Promise<void> {
    this.#inFlight += 1;
    try {
      await this.#parts.settings.deliver(pending, this.#abort.signal);
      this.#succeeded(pending);
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failed(pending, messageOf(error));
    }
    this.#inFlight -= 1;
    this.#startReady();
  }

  #succeeded(pending: Pending): void {
    this.#parts.report.figures.delivered += 1;
    if (pending.isSaved) this.#done.push(pending.id);
    this.#remove(pending);
    const wasDown = this.#failuresInRow >= failuresWhenDown;
    this.#failuresInRow = 0;
    if (wasDown) for (const subject of this.#timers.keys()) this.#becomeReady(subject);
  }

  #failed(pending: Pending, error: string): void {
    const { settings, report, log } = this.#parts;
    const { retry, consumer } = settings;
    const now = sharedNow();
    report.figures.failed += 1;
    this.#failuresInRow += 1;
    report.lastError = error;
    pending.attempts += 1;
    pending.error = error;
    pending.firstFailedAt ??= now;
    pending.nextAt = now + delayMs(retry, pending.attempts);
    pending.isDead = now - pending.firstFailedAt >= retry.giveUpMs;
    for (const each of this.#subjects.get(pending.subject)!) this.#change(each);
    const { id, attempts } = pending;
    if (!pending.isDead) {
      if (this.#failuresInRow === 1) log.warn("an event was not delivered", { consumer, id, error });
      return this.#schedule(pending);
    }
    report.figures.dead += 1;
    log.error("an event is given up", { consumer, id, attempts, error });
    this.#remove(pending);
  }

  /** The next one of its subject is due. */
  #remove(pending: Pending): void {
    this.#open.delete(pending.id);
    const queue = this.#subjects.get(pending.subject)!;
    queue.shift();
    if (queue.length === 0) this.#subjects.delete(pending.subject);
    else this.#schedule(queue[0]!);
    this.#saveSoon();
    this.#wake();
  }

  #change(pending: Pending): void {
    this.#changed.add(pending);
    this.#saveSoon();
  }

  #saveSoon(): void {
    this.#saveTimer ??= setTimeout(() => {
      this.#saveTimer = undefined;
      this.#saving = this.#saving.then(() => this.#save());
    }, deliverySaveMs);
  }

  async #save(): Promise<void> {
    if (this.#isLost) return;
    const { keeper, settings, log, onLost } = this.#parts;
    const { consumer } = settings;
    const changes = [...this.#changed].filter(({ id, isDead }) => isDead || this.#open.has(id));
    const done = this.#done;
    this.#changed.clear();
    this.#done = [];
    // From here on these rows count as saved: the position that goes with them is past them.
    const before = changes.filter(({ isSaved }) => !isSaved);
    for (const each of changes) each.isSaved = true;
    try {
      const { epoch, position } = this;
      const args = { consumer, epoch, position, changed: changes, done, maxDead: maxDeadDeliveries };
      this.#isLost = !(await keeper.call("saveDeliveries", args));
      if (this.#isLost) onLost();
    } catch (error) {
      log.warn("the state of deliveries could not be kept", { consumer, error });
      for (const each of before) each.isSaved = false;
      for (const each of changes) this.#changed.add(each);
      this.#done.push(...done);
      if (!this.#abort.signal.aborted) this.#saveSoon();
    }
  }
}

const idleWaitMs = 60_000;

/** After so many attempts. */
function delayMs({ firstMs, maxMs }: RetryPolicy, attempts: number): number {
  return Math.min(maxMs, firstMs * 2 ** (attempts - 1));
}

function pendingOf(event: EventRow): Pending {
  const fresh = { attempts: 0, firstFailedAt: null, nextAt: 0, error: null, isDead: false };
  return { ...event, ...fresh, isSaved: false };
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, maxErrorChars);
}

const maxErrorChars = 200;
