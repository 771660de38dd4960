/**
 * Ages of what dead nodes have left: whoever looks first removes it from the catalog. Limits of bytes are about the disk of a
 * node, so they do not count here, and what a policy keeps of the newest stays until the node is back.
 */
import { maxRemovedTogether, retentionPageRows } from "../../base/limits/retention.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import type { Candidate, CandidatePosition, RetainedKind } from "../../store/retention/catalog.ts";
import type { Policy } from "./policy.ts";

/** Called after each batch. */
export type OnExpired = (kind: RetainedKind, count: number, bytes: number) => void;

export class AbandonedRetention {
  readonly #keeper: Pick<KeeperClient, "call">;
  readonly #onExpired: OnExpired;

  constructor(keeper: Pick<KeeperClient, "call">, onExpired: OnExpired) {
    this.#keeper = keeper;
    this.#onExpired = onExpired;
  }

  async expire(policies: readonly Policy[], now: number): Promise<void> {
    for (const policy of policies) {
      const { maxAgeMs } = policy.settings;
      if (maxAgeMs !== undefined) await this.#expireOf(policy, now - maxAgeMs, policies, now);
    }
  }

  async #expireOf(policy: Policy, before: number, policies: readonly Policy[], now: number): Promise<void> {
    const { kind } = policy;
    let after: CandidatePosition | null = null;
    for (;;) {
      const query = { kind, before, after, limit: retentionPageRows };
      const page: Candidate[] = await this.#keeper.call("abandoned", query);
      const expired = page.filter(
        (each) => policy.matches(kind, each.name) && !isKept(policies, kind, each, now),
      );
      for (let at = 0; at < expired.length; at += maxRemovedTogether)
        await this.#remove(kind, expired.slice(at, at + maxRemovedTogether));
      const last = page.at(-1);
      if (last === undefined || page.length < retentionPageRows) return;
      after = { at: last.madeAt, id: last.id };
    }
  }

  async #remove(kind: RetainedKind, candidates: Candidate[]): Promise<void> {
    const ids = await this.#keeper.call("expireAbandoned", { kind, candidates, at: sharedNow() });
    const gone = new Set<string | number>(ids);
    const bytes = candidates.reduce((sum, each) => sum + (gone.has(each.id) ? each.bytes : 0), 0);
    if (gone.size > 0) this.#onExpired(kind, gone.size, bytes);
  }
}

function isKept(
  policies: readonly Policy[],
  kind: RetainedKind,
  { name, madeAt }: Candidate,
  now: number,
): boolean {
  return policies.some((policy) => {
    const { newest = 0, lastMs = 0 } = policy.settings.keepAtLeast ?? {};
    return policy.matches(kind, name) && (newest > 0 || madeAt >= now - lastMs);
  });
}
