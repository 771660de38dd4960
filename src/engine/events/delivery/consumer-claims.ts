/**
 * Which consumers of events this node delivers to. Nodes that share a catalog may have the same ones, and one node delivers
 * to each: it claims the consumer in the catalog, and keeps it for as long as its own lease lasts there.
 *
 * Whether the lease lasts is known here as a time of the monotonic clock: a node that was frozen past it begins no delivery
 * before it has asked again. What was on its way then may come twice.
 */
import { consumerLookMs } from "../../../base/limits/events.ts";
import type { Log } from "../../../base/log/log.ts";
import { RateLimitedLog } from "../../../base/log/rate-limited-log.ts";
import type { KeeperClient } from "../../../pool/keeper-client.ts";
import type { ConsumerClaim } from "../../../store/events/claims.ts";

export type ClaimKeeper = Pick<KeeperClient, "call">;

/** A consumer, as its claims see it. */
export interface Claimant {
  readonly consumer: string;
  /** A hash of what is configured for it. */
  readonly config: string;
  /** Of the claim that it delivers by; 0 for none. */
  readonly epoch: number;
  /** Who owns it now. A claim of this node holds until this time of the monotonic clock. Never rejects. */
  update(claim: ConsumerClaim, untilMs: number): Promise<void>;
}

/** Tells whether two nodes have the same configuration of a consumer, and nothing else of it. */
export function configHash(...parts: readonly unknown[]): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, configHashChars);
}

const configHashChars = 16;

export class ConsumerClaims {
  readonly #keeper: ClaimKeeper;
  readonly #log: RateLimitedLog;
  readonly #claimants = new Map<string, Claimant>();
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(keeper: ClaimKeeper, log: Log) {
    this.#keeper = keeper;
    this.#log = new RateLimitedLog(log);
  }

  /** By the names of the consumers: whether this node delivers. */
  owned(): { consumer: string; isOwn: boolean }[] {
    return Array.from(this.#claimants.values(), ({ consumer, epoch }) => ({ consumer, isOwn: epoch > 0 }));
  }

  /** Resolves once the claimant knows whether it owns its consumer, unless the catalog fails: then a later look tells it. */
  async add(claimant: Claimant): Promise<void> {
    this.#claimants.set(claimant.consumer, claimant);
    this.#timer ??= setInterval(() => void this.look(), consumerLookMs);
    await this.look();
  }

  /** Once it resolves, the claimant gets no more updates. */
  async remove({ consumer }: Claimant): Promise<void> {
    this.#claimants.delete(consumer);
    if (this.#claimants.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    await this.#looking;
  }

  /** Looks for the owner of each consumer now. Calls that wait for the same look share it. */
  look(): Promise<void> {
    this.#next ??= this.#looking.then(() => {
      this.#next = undefined;
      return this.#look();
    });
    this.#looking = this.#next;
    return this.#next;
  }

  async #look(): Promise<void> {
    const claimants = new Map(this.#claimants);
    if (claimants.size === 0) return;
    const askedAtMs = performance.now();
    try {
      const wishes = Array.from(claimants.values(), ({ consumer, config, epoch }) => ({
        consumer,
        config,
        epoch,
      }));
      const claims = await this.#keeper.call("claimConsumers", { wishes });
      await Promise.all(
        claims.map((claim) => claimants.get(claim.consumer)?.update(claim, askedAtMs + claim.leaseMs)),
      );
    } catch (error) {
      this.#log.warn("who delivers events cannot be looked up, and is tried again", { error });
    }
  }
}
