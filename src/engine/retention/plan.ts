/**
 * What retention removes next, and why. A run and a dry run follow the same plan: a run removes what it yields, a dry run
 * lists it. Each policy first removes what is too old, then makes room until a tenth of each of its limits is free.
 */
import { retentionPageRows, retentionStart } from "../../base/limits/retention.ts";
import type {
  Candidate,
  CandidateOrder,
  CandidatePosition,
  CandidateQuery,
  RetainedKind,
} from "../../store/retention/catalog.ts";
import type { Policy } from "./policy.ts";

export type RemovalReason = "max-age" | "max-bytes" | "min-free";

export interface Removal {
  kind: RetainedKind;
  candidate: Candidate;
  reason: RemovalReason;
  /** The pattern of the policy. */
  pattern: string;
  /** 0 for a stream whose object other streams have too. */
  freedBytes: number;
}

export interface Use {
  /** An object that streams share counts once. */
  bytes: number;
  count: number;
}

export interface DiskState {
  /** Equal for two folders of one file system. */
  device: number;
  freeBytes: number;
}

/** What a plan is made of. */
export interface PlanBasis {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Bytes that an upload brings, which must have room beside the streams. It grows while a run makes room. */
  readonly newBytes: number;
  /** Bytes of uploads that are not on the disk yet. */
  readonly unwrittenBytes: number;
  /** Bytes of local copies that the archive has: they go before a stream does. */
  readonly evictableBytes: Readonly<Record<RetainedKind, number>>;
  /** Streams beside which no more fit. */
  readonly maxStreams: number;
  candidates(query: CandidateQuery): Promise<Candidate[]>;
  /** What matches the policy now. */
  used(policy: Policy): Promise<Use>;
  disk(kind: RetainedKind): DiskState | undefined;
  /** Read, or listened to, at this moment. */
  isInUse(kind: RetainedKind, id: string | number): boolean;
}

/** A policy with what the plan has freed of its usage so far. */
interface Account {
  policy: Policy;
  used: Use;
  /** What is at least as new as this stays. */
  keepsFrom: CandidatePosition | undefined;
}

export class RetentionPlan {
  /** What may be removed is not enough for some policy, once `removals` has ended. */
  isShort = false;
  readonly #policies: readonly Policy[];
  readonly #basis: PlanBasis;
  readonly #accounts: Account[] = [];
  readonly #planned: Record<RetainedKind, Set<string | number>> = {
    streams: new Set(),
    recordings: new Set(),
  };
  /** How many streams of an object are planned. */
  readonly #sharers = new Map<string, number>();
  /** By file system. */
  readonly #freed = new Map<number, number>();

  constructor(policies: readonly Policy[], basis: PlanBasis) {
    this.#policies = policies;
    this.#basis = basis;
  }

  async *removals(): AsyncGenerator<Removal> {
    for (const policy of this.#policies) {
      const [used, keepsFrom] = [await this.#basis.used(policy), await this.#keepsFrom(policy)];
      this.#accounts.push({ policy, used, keepsFrom });
    }
    for (const account of this.#accounts) {
      yield* this.#removeAged(account);
      if (account.policy.makesRoom) yield* this.#makeRoom(account);
    }
  }

  async *#removeAged({ policy }: Account): AsyncGenerator<Removal> {
    const { maxAgeMs } = policy.settings;
    if (maxAgeMs === undefined) return;
    const oldest = this.#basis.now - maxAgeMs;
    for await (const candidate of this.#candidates(policy.kind, "age")) {
      if (candidate.madeAt >= oldest) return;
      if (this.#isRemovable(policy, candidate)) yield this.#remove(policy, candidate, "max-age");
    }
  }

  async *#makeRoom(account: Account): AsyncGenerator<Removal> {
    const { policy } = account;
    if (this.#lack(account) === undefined) return;
    const order = policy.settings.mode === "evict" ? "use" : "age";
    for await (const candidate of this.#candidates(policy.kind, order)) {
      const reason = this.#lack(account);
      if (reason === undefined) return;
      if (this.#isRemovable(policy, candidate)) yield this.#remove(policy, candidate, reason);
    }
    if (this.#lack(account) !== undefined) this.isShort = true;
  }

  /** The limit beyond whose start of removal the policy is, after what is planned. */
  #lack({ policy, used }: Account): RemovalReason | undefined {
    const { maxBytes, minFreeBytes } = policy.settings;
    if (maxBytes !== undefined && this.#isOver(policy, used, maxBytes)) return "max-bytes";
    const disk = this.#basis.disk(policy.kind);
    if (minFreeBytes === undefined || disk === undefined) return undefined;
    const evictableBytes = this.#basis.evictableBytes[policy.kind];
    const free = disk.freeBytes + evictableBytes + (this.#freed.get(disk.device) ?? 0);
    const { newBytes, unwrittenBytes } = this.#basis;
    const wanted = Math.max(startOfFree(minFreeBytes), minFreeBytes + newBytes) + unwrittenBytes;
    return free < wanted ? "min-free" : undefined;
  }

  #isOver({ kind, coversAll }: Policy, { bytes, count }: Use, maxBytes: number): boolean {
    if (bytes > startOf(maxBytes)) return true;
    if (kind !== "streams" || !coversAll) return false;
    return bytes + this.#basis.newBytes > maxBytes || count > startOf(this.#basis.maxStreams);
  }

  #isRemovable(policy: Policy, candidate: Candidate): boolean {
    const { kind } = policy;
    if (!policy.matches(kind, candidate.name) || this.#planned[kind].has(candidate.id)) return false;
    return !this.#isKept(kind, candidate) && !this.#basis.isInUse(kind, candidate.id);
  }

  #isKept(kind: RetainedKind, { name, madeAt, id }: Candidate): boolean {
    return this.#accounts.some(
      ({ policy, keepsFrom }) =>
        keepsFrom !== undefined &&
        policy.matches(kind, name) &&
        (madeAt > keepsFrom.at || (madeAt === keepsFrom.at && id >= keepsFrom.id)),
    );
  }

  #remove({ kind, settings }: Policy, candidate: Candidate, reason: RemovalReason): Removal {
    this.#planned[kind].add(candidate.id);
    const freedBytes = this.#isLastOfObject(candidate) ? candidate.bytes : 0;
    for (const { policy, used } of this.#accounts) {
      if (!policy.matches(kind, candidate.name)) continue;
      used.bytes -= freedBytes;
      used.count -= 1;
    }
    const device = this.#basis.disk(kind)?.device;
    if (device !== undefined) this.#freed.set(device, (this.#freed.get(device) ?? 0) + freedBytes);
    return { kind, candidate, reason, pattern: settings.pattern, freedBytes };
  }

  #isLastOfObject({ sha256, sharers }: Candidate): boolean {
    if (sha256 === null || sharers <= 1) return true;
    const planned = (this.#sharers.get(sha256) ?? 0) + 1;
    this.#sharers.set(sha256, planned);
    return planned >= sharers;
  }

  /** The oldest that `keepAtLeast` keeps, as a position in the order of age. */
  async #keepsFrom(policy: Policy): Promise<CandidatePosition | undefined> {
    const { newest, lastMs } = policy.settings.keepAtLeast ?? {};
    const byAge =
      lastMs === undefined ? undefined : { at: this.#basis.now - lastMs, id: smallestId(policy.kind) };
    if (newest === undefined || newest === 0) return byAge;
    const byCount = await this.#newest(policy, newest);
    return byAge === undefined || byCount.at < byAge.at ? byCount : byAge;
  }

  /** The last of the newest so many; the beginning of time if there are fewer. */
  async #newest(policy: Policy, count: number): Promise<CandidatePosition> {
    const { kind } = policy;
    let found = 0;
    for await (const { name, madeAt: at, id } of this.#candidates(kind, "newest")) {
      if (policy.matches(kind, name)) found += 1;
      if (found === count) return { at, id };
    }
    return { at: 0, id: smallestId(kind) };
  }

  async *#candidates(kind: RetainedKind, order: CandidateOrder): AsyncGenerator<Candidate> {
    let after: CandidatePosition | null = null;
    for (;;) {
      const rows: Candidate[] = await this.#basis.candidates({
        kind,
        order,
        after,
        limit: retentionPageRows,
      });
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined || rows.length < retentionPageRows) return;
      after = { at: order === "use" ? last.usedAt : last.madeAt, id: last.id };
    }
  }
}

function smallestId(kind: RetainedKind): string | number {
  return kind === "streams" ? "" : -1;
}

/** Removal starts here. */
export function startOf(limit: number): number {
  return limit * retentionStart;
}

/** With less free space than this removal starts. */
export function startOfFree(minFreeBytes: number): number {
  return minFreeBytes * (2 - retentionStart);
}
