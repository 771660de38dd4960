/**
 * The deliveries of events to one consumer. Only the node that owns the consumer delivers; the others wait until its owner
 * releases it or is dead. The next owner continues where the last one has saved: what was delivered since comes twice.
 */
import { maxWaitingDeliveries } from "../../../base/limits/events.ts";
import type { Log } from "../../../base/log/log.ts";
import type { ConsumerClaim } from "../../../store/events/claims.ts";
import type { Claimant, ConsumerClaims } from "./consumer-claims.ts";
import {
  type DeliveryEvents,
  type DeliveryKeeper,
  DeliveryReport,
  DeliveryRun,
  type DeliverySettings,
} from "./delivery-run.ts";

/** What deliveries are built on. */
export interface DeliveryBase {
  events: DeliveryEvents;
  keeper: DeliveryKeeper;
  claims: ConsumerClaims;
}

export class Deliveries implements Claimant {
  readonly settings: DeliverySettings;
  readonly #base: DeliveryBase;
  readonly #log: Log;
  readonly #report = new DeliveryReport();
  #claim: ConsumerClaim | undefined;
  #run: DeliveryRun | undefined;
  /** Of the claim, as far as they are taken up. */
  #replays = 0;
  /** Another node owns the consumer with this configuration. */
  #otherConfig: string | undefined;

  constructor(base: DeliveryBase, settings: DeliverySettings, log: Log) {
    this.#base = base;
    this.settings = settings;
    this.#log = log;
  }

  get consumer(): string {
    return this.settings.consumer;
  }

  get config(): string {
    return this.settings.config();
  }

  get epoch(): number {
    return this.#run?.epoch ?? 0;
  }

  get figures(): DeliveryReport["figures"] {
    return this.#report.figures;
  }

  get lastError(): string | undefined {
    return this.#report.lastError;
  }

  /** The node that delivers; null without one, and in a catalog of one node. */
  get owner(): string | null {
    return this.#claim?.owner || null;
  }

  /** Events that are not delivered yet, as far as this node has read them. */
  get pending(): number {
    return this.#run?.pending ?? 0;
  }

  get position(): number {
    return this.#run?.position ?? this.#claim?.position ?? 0;
  }

  /** Continues where the last owner ended. A new consumer gets what happens from now on. */
  async open(): Promise<void> {
    await this.#base.claims.add(this);
  }

  /** Another node may deliver from now on. */
  async close(): Promise<void> {
    await this.#base.claims.remove(this);
    const run = this.#run;
    this.#run = undefined;
    if (run === undefined) return;
    await run.close();
    const { consumer } = this;
    try {
      await this.#base.keeper.call("releaseConsumer", { consumer, epoch: run.epoch });
    } catch (error) {
      this.#log.warn("a consumer of events could not be released to other nodes", { consumer, error });
    }
  }

  async update(claim: ConsumerClaim, untilMs: number): Promise<void> {
    this.#claim = claim;
    const run = this.#run;
    const isSame = run !== undefined && claim.isOwn && claim.epoch === run.epoch;
    try {
      if (isSame) return await this.#renew(run, claim, untilMs);
      if (run !== undefined) await this.#lose(run);
      if (claim.isOwn) await this.#begin(claim, untilMs);
      else this.#compare(claim);
    } catch (error) {
      // The next look tries again.
      this.#log.warn("the state of deliveries could not be read", { consumer: this.consumer, error });
    }
  }

  async #begin({ epoch, position, replays, owner }: ConsumerClaim, untilMs: number): Promise<void> {
    const { settings, consumer } = this;
    const { events, keeper, claims } = this.#base;
    const rows = await keeper.call("waitingDeliveries", { consumer, limit: maxWaitingDeliveries });
    const onLost = () => void claims.look();
    const parts = { events, keeper, settings, report: this.#report, log: this.#log, onLost };
    this.#replays = replays;
    this.#run = new DeliveryRun(parts, { epoch, position, untilMs }, rows);
    settings.owned?.();
    if (owner !== "") this.#log.info("this node delivers to a consumer of events", { consumer, position });
  }

  async #renew(run: DeliveryRun, { replays }: ConsumerClaim, untilMs: number): Promise<void> {
    run.renew(untilMs);
    if (replays === this.#replays) return;
    await run.takeRevived();
    this.#replays = replays;
  }

  async #lose(run: DeliveryRun): Promise<void> {
    this.#run = undefined;
    this.#log.warn("another node has taken over a consumer of events", { consumer: this.consumer });
    await run.abandon();
  }

  /** The owner's configuration counts, so an operator should know of another one. */
  #compare({ owner, config }: ConsumerClaim): void {
    const { consumer } = this;
    const isOther = owner !== "" && config !== this.config;
    if (isOther && config !== this.#otherConfig)
      this.#log.warn("another node delivers to a consumer of events that is configured otherwise there", {
        consumer,
        node: owner,
      });
    this.#otherConfig = isOther ? config : undefined;
  }
}
