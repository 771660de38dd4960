/**
 * How much of what is stored a policy is about. What covers everything is counted anyway. The rest is counted again once
 * something has changed: a count looks at every row.
 */
import { retentionPageRows, retentionRecountRest } from "../../base/limits/retention.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { RetainedKind } from "../../store/retention/catalog.ts";
import type { Recordings } from "../recordings/recordings.ts";
import type { Streams } from "../streams/streams.ts";
import type { Removal, Use } from "./plan.ts";
import type { Policy } from "./policy.ts";

/** The recordings in progress. */
export type Recorders = Pick<Recordings, "unentered">;

export class PolicyUse {
  readonly #keeper: Pick<KeeperClient, "call">;
  readonly #streams: Pick<Streams, "admission" | "figures">;
  readonly #recorders: Recorders;
  /** Of policies about a part, as last counted. */
  readonly #counted = new Map<Policy, Use>();
  #recounting: Promise<void> | undefined;
  /** What was stored at the last count. */
  readonly #seen = new Map<RetainedKind, string>();
  /** Of the monotonic clock. */
  #restsUntilMs = -Infinity;

  constructor(
    keeper: Pick<KeeperClient, "call">,
    streams: Pick<Streams, "admission" | "figures">,
    recorders: Recorders,
  ) {
    this.#keeper = keeper;
    this.#streams = streams;
    this.#recorders = recorders;
  }

  /** The policies are others now. */
  forget(): void {
    this.#counted.clear();
    this.#seen.clear();
  }

  /** A copy. */
  async of(policy: Policy): Promise<Use> {
    if (!policy.coversAll || policy.kind === "streams") return { ...this.lastKnown(policy) };
    const { recordings } = await this.#keeper.call("retentionUsage", null);
    return { bytes: recordings.bytes + this.unenteredBytes(policy), count: recordings.recordings };
  }

  /** What is known without asking the catalog. */
  lastKnown(policy: Policy): Use {
    if (!policy.coversAll) {
      const { bytes, count } = this.#counted.get(policy) ?? { bytes: 0, count: 0 };
      return { bytes: bytes + this.unenteredBytes(policy), count };
    }
    const { uploading, finishing, interrupted, finished } = this.#streams.figures();
    const count = uploading + finishing + interrupted + finished;
    return { bytes: this.#streams.admission.storedBytes, count };
  }

  /** Of recordings in progress, which the catalog does not count. */
  unenteredBytes(policy?: Policy): number {
    let sum = 0;
    for (const { name, bytes } of this.#recorders.unentered())
      if (policy === undefined || policy.matches("recordings", name)) sum += bytes;
    return sum;
  }

  /** Counts down what the policies about a part have; the next count corrects what was not removed after all. */
  removed(batch: readonly Removal[]): void {
    for (const [policy, use] of this.#counted) {
      for (const { kind, candidate, freedBytes } of batch) {
        if (!policy.matches(kind, candidate.name)) continue;
        use.bytes -= freedBytes;
        use.count -= 1;
      }
    }
  }

  /** As `recount`, unless as much is stored as at the last count, or that was a moment ago for what it took. */
  async recountIfChanged(policies: readonly Policy[]): Promise<void> {
    if (performance.now() < this.#restsUntilMs) return;
    const changed: Policy[] = [];
    for (const kind of ["streams", "recordings"] as const) {
      const ofKind = policies.filter((policy) => policy.kind === kind && !policy.coversAll);
      if (ofKind.length > 0 && (await this.#stored(kind)) !== this.#seen.get(kind)) changed.push(...ofKind);
    }
    if (changed.length > 0) await this.recount(changed);
  }

  /** Differs if something was stored or removed, unless it evens out to the byte. */
  async #stored(kind: RetainedKind): Promise<string> {
    if (kind === "recordings") {
      const { recordings } = await this.#keeper.call("retentionUsage", null);
      return `${recordings.recordings} ${recordings.bytes}`;
    }
    const { finished, interrupted, objectBytes } = this.#streams.figures();
    return `${finished} ${interrupted} ${objectBytes}`;
  }

  /** Counts what each policy about a part is about. Single flight: it reads the whole catalog, page by page. */
  recount(policies: readonly Policy[]): Promise<void> {
    this.#recounting ??= this.#recountAll(policies.filter(({ coversAll }) => !coversAll)).finally(() => {
      this.#recounting = undefined;
    });
    return this.#recounting;
  }

  async #recountAll(policies: readonly Policy[]): Promise<void> {
    const startedAtMs = performance.now();
    for (const kind of ["streams", "recordings"] as const) {
      const ofKind = policies.filter((policy) => policy.kind === kind);
      if (ofKind.length === 0) continue;
      const stored = await this.#stored(kind);
      await this.#recountKind(kind, ofKind);
      this.#seen.set(kind, stored);
    }
    const now = performance.now();
    this.#restsUntilMs = now + retentionRecountRest * (now - startedAtMs);
  }

  async #recountKind(kind: RetainedKind, policies: readonly Policy[]): Promise<void> {
    const counts = policies.map((policy) => ({
      policy,
      use: { bytes: 0, count: 0 },
      seen: new Set<string>(),
    }));
    let after: string | number = kind === "streams" ? "" : -1;
    for (;;) {
      const rows = await this.#keeper.call("measureRetained", { kind, after, limit: retentionPageRows });
      for (const { name, bytes, sha256 } of rows) {
        for (const { policy, use, seen } of counts) {
          if (!policy.matches(kind, name)) continue;
          use.count += 1;
          if (sha256 === null || !seen.has(sha256)) use.bytes += bytes;
          if (sha256 !== null) seen.add(sha256);
        }
      }
      if (rows.length < retentionPageRows) break;
      after = rows.at(-1)!.id;
    }
    for (const { policy, use } of counts) this.#counted.set(policy, use);
  }
}
