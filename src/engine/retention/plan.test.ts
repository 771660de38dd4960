/** Plans of removals over a real catalog, compared with a simple model: never what must stay, always enough. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { retentionStart } from "../../base/limits/retention.ts";
import { SqliteCatalog } from "../../store/streams/sqlite/catalog.ts";
import { noMetadata } from "../../store/streams/metadata.ts";
import { type PlanBasis, type Removal, RetentionPlan } from "./plan.ts";
import { Policy, type PolicySettings } from "./policy.ts";

interface Stream {
  id: string;
  /** Streams of one content have its size. */
  content: number;
  finishedAt: number;
  readAt: number;
  isPinned: boolean;
  isInUse: boolean;
}

const now = 1_000_000;
const sizeOf = (content: number) => 100 + 37 * content;
const sha256Of = (content: number) => content.toString(16).padStart(64, "0");

function catalogOf(streams: readonly Stream[]): SqliteCatalog {
  const catalog = new SqliteCatalog(":memory:");
  for (const { id, content, finishedAt, readAt, isPinned } of streams) {
    const facts = { key: `k-${id}`, sha256: sha256Of(content), size: sizeOf(content), format: null };
    const times = { createdAt: finishedAt, finishedAt };
    catalog.enter({ streamId: id, ...facts, ...times, metadata: noMetadata, audio: null, isPinned });
    catalog.retention.noteReads("streams", [{ id, at: readAt }]);
  }
  return catalog;
}

/** Bytes of distinct contents. */
function bytesOf(streams: readonly Stream[]): number {
  return [...new Set(streams.map(({ content }) => content))].reduce((sum, each) => sum + sizeOf(each), 0);
}

function matching({ matches }: { matches: (id: string) => boolean }, streams: readonly Stream[]): Stream[] {
  return streams.filter(({ id }) => matches(id));
}

const matcher = (pattern: string) => {
  const policy = new Policy({ pattern, mode: "evict" });
  return { matches: (id: string) => policy.matches("streams", id) };
};

async function plan(
  streams: readonly Stream[],
  policies: readonly PolicySettings[],
  more: Partial<PlanBasis> = {},
): Promise<{ removals: Removal[]; isShort: boolean }> {
  using catalog = new DisposableCatalog(catalogOf(streams));
  const inUse = new Set(streams.filter(({ isInUse }) => isInUse).map(({ id }) => id));
  const basis: PlanBasis = {
    now,
    newBytes: 0,
    unwrittenBytes: 0,
    evictableBytes: { streams: 0, recordings: 0 },
    maxStreams: Infinity,
    candidates: async (query) => catalog.catalog.retention.candidates(query),
    used: async ({ settings }) => {
      const found = matching(matcher(settings.pattern), streams);
      return { bytes: bytesOf(found), count: found.length };
    },
    disk: () => undefined,
    isInUse: (_kind, id) => inUse.has(String(id)),
    ...more,
  };
  const plan = new RetentionPlan(
    policies.map((each) => new Policy(each)),
    basis,
  );
  const removals = await Array.fromAsync(plan.removals());
  return { removals, isShort: plan.isShort };
}

class DisposableCatalog {
  readonly catalog: SqliteCatalog;

  constructor(catalog: SqliteCatalog) {
    this.catalog = catalog;
  }

  [Symbol.dispose](): void {
    this.catalog.close();
  }
}

const time = fc.integer({ min: 1, max: now });

const someStreams: fc.Arbitrary<Stream[]> = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[ab]-[a-z]{1,3}$/),
    content: fc.nat(12),
    finishedAt: time,
    readAt: time,
    isPinned: fc.boolean(),
    isInUse: fc.nat(5).map((each) => each === 0),
  }),
  { maxLength: 40, selector: ({ id }) => id },
);

const limits = {
  maxBytes: fc.option(fc.integer({ min: 1, max: 6_000 }), { nil: undefined }),
  maxAgeMs: fc.option(fc.integer({ min: 1, max: now }), { nil: undefined }),
  keepAtLeast: fc.option(
    fc.record({
      newest: fc.option(fc.nat(10), { nil: undefined }),
      lastMs: fc.option(fc.nat(now), { nil: undefined }),
    }),
    { nil: undefined },
  ),
};

const somePolicies: fc.Arbitrary<PolicySettings[]> = fc.array(
  fc.record({
    pattern: fc.constantFrom("streams/*", "streams/a-*", "streams/{a,b}-x*"),
    mode: fc.constantFrom("evict" as const, "expire" as const, "refuse" as const),
    ...limits,
  }),
  { minLength: 1, maxLength: 3 },
);

/** What a policy keeps whatever the limits. */
function keptBy({ pattern, keepAtLeast }: PolicySettings, streams: readonly Stream[]): Set<string> {
  const found = matching(matcher(pattern), streams).filter(({ isPinned }) => !isPinned);
  const byAge = found.toSorted((a, b) => b.finishedAt - a.finishedAt || (a.id < b.id ? 1 : -1));
  const newest = byAge.slice(0, keepAtLeast?.newest ?? 0);
  const { lastMs } = keepAtLeast ?? {};
  const recent = lastMs === undefined ? [] : byAge.filter(({ finishedAt }) => finishedAt >= now - lastMs);
  return new Set([...newest, ...recent].map(({ id }) => id));
}

describe("a plan", () => {
  test("never removes what must stay, and frees enough whenever it can", async () => {
    const property = fc.asyncProperty(someStreams, somePolicies, async (streams, policies) => {
      const { removals, isShort } = await plan(streams, policies);
      const removed = new Set(removals.map(({ candidate }) => candidate.name));
      expect(removed.size).toBe(removals.length);
      const kept = policies.map((policy) => keptBy(policy, streams));
      const isFree = ({ id, isPinned, isInUse }: Stream) =>
        !isPinned && !isInUse && !kept.some((each) => each.has(id));
      for (const stream of streams) if (removed.has(stream.id)) expect(isFree(stream)).toBe(true);

      const left = streams.filter(({ id }) => !removed.has(id));
      const freed = removals.reduce((sum, { freedBytes }) => sum + freedBytes, 0);
      expect(freed).toBe(bytesOf(streams) - bytesOf(left));
      for (const { pattern, mode, maxAgeMs, maxBytes } of policies) {
        const found = matching(matcher(pattern), left);
        const removable = found.filter(isFree);
        if (maxAgeMs !== undefined)
          expect(removable.filter(({ finishedAt }) => finishedAt < now - maxAgeMs)).toEqual([]);
        if (mode === "refuse" || maxBytes === undefined) continue;
        // Of contents that streams outside of the pattern share, the policy frees nothing.
        const isOver = bytesOf(found) > maxBytes * retentionStart;
        if (isOver && pattern === "streams/*")
          expect({ removable, isShort }).toEqual({ removable: [], isShort: true });
      }
    });
    await fc.assert(property, { numRuns: 300 });
  });

  test("removes no more than it has to, the least recently read or the oldest first", async () => {
    const property = fc.asyncProperty(
      someStreams,
      fc.constantFrom("evict" as const, "expire" as const),
      fc.integer({ min: 1, max: 6_000 }),
      async (streams, mode, maxBytes) => {
        const { removals } = await plan(streams, [{ pattern: "streams/*", mode, maxBytes }]);
        const orders = removals.map(({ candidate }) =>
          mode === "evict" ? candidate.usedAt : candidate.madeAt,
        );
        expect(orders).toEqual(orders.toSorted((a, b) => a - b));
        const last = removals.at(-1)?.candidate.name;
        const removed = new Set(removals.map(({ candidate }) => candidate.name));
        const before = streams.filter(({ id }) => !removed.has(id) || id === last);
        if (last !== undefined) expect(bytesOf(before)).toBeGreaterThan(maxBytes * retentionStart);
      },
    );
    await fc.assert(property, { numRuns: 200 });
  });
});

function plainStream(each: number, readAt: number): Stream {
  return { id: `a-${each}`, content: each, finishedAt: each, readAt, isPinned: false, isInUse: false };
}

const three = [1, 2, 3].map((each) => plainStream(each, 0));
const diskWith = (freeBytes: number) => () => ({ device: 1, freeBytes });

describe("a plan for a disk", () => {
  const minFree: PolicySettings = { pattern: "streams/*", mode: "evict", minFreeBytes: 1_000 };

  test("frees what is missing, and a tenth more", async () => {
    const disk = diskWith(1_000);
    const { removals } = await plan(three, [minFree], { disk });
    expect(removals.map(({ candidate, reason }) => [candidate.id, reason])).toEqual([["a-1", "min-free"]]);
  });

  test("makes room for what an upload brings", async () => {
    const disk = diskWith(1_200);
    expect((await plan(three, [minFree], { disk })).removals).toEqual([]);
    const { removals, isShort } = await plan(three, [minFree], { disk, newBytes: 400 });
    expect(removals.length).toBe(2);
    expect(isShort).toBe(false);
    expect((await plan(three, [minFree], { disk, newBytes: 10_000 })).isShort).toBe(true);
  });

  test("removes streams beyond their number", async () => {
    const policy: PolicySettings = { pattern: "streams/*", mode: "evict", maxBytes: 1e9 };
    expect((await plan(three, [policy], { maxStreams: 2 })).removals.length).toBe(2);
  });
});

test("a plan over several pages of the catalog removes each stream once, in order", async () => {
  const count = 450;
  const many = Array.from({ length: count }, (_, each) => plainStream(each + 1, 10_000 - each));
  const { removals } = await plan(many, [{ pattern: "streams/*", mode: "evict", maxBytes: 1 }]);
  const ids = removals.map(({ candidate }) => candidate.id);
  expect(ids).toEqual(many.map(({ id }) => id).toReversed());
});
