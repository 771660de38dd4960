import { expect, test } from "bun:test";
import fc from "fast-check";
import { RoundRobin } from "./round-robin.ts";

test("entries that are added again after each turn take turns in order", () => {
  const roundRobin = new RoundRobin<{ name: string; lastRound: number }>();
  const entries = ["a", "b", "c"].map((name) => ({ name, lastRound: 0 }));
  for (const entry of entries) roundRobin.add(entry);
  let turns = "";
  for (let i = 0; i < 9; i += 1) {
    const entry = roundRobin.next();
    if (entry === undefined) break;
    turns += entry.name;
    roundRobin.add(entry);
  }
  expect(turns).toBe("abcabcabc");
});

test("an entry that joins during a round goes before those that have had their turn", () => {
  const roundRobin = new RoundRobin<{ name: string; lastRound: number }>();
  const [bulk, other, late] = ["bulk", "other", "late"].map((name) => ({ name, lastRound: 0 }));
  for (const entry of [bulk!, other!]) roundRobin.add(entry);
  expect(roundRobin.next()).toBe(bulk!);
  roundRobin.add(bulk!);
  roundRobin.add(late!);
  expect([roundRobin.next(), roundRobin.next(), roundRobin.next()]).toEqual([other, late, bulk]);
});

test("no entry waits for more than two turns of any other", () => {
  const step = fc.record({ entry: fc.nat(4), kind: fc.constantFrom("add", "remove", "next") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const roundRobin = new RoundRobin<{ id: number; lastRound: number }>();
      const entries = Array.from({ length: 5 }, (_, id) => ({ id, lastRound: 0 }));
      /** The turns of others while each entry waits. */
      const waits = new Map<number, number[]>();
      for (const { entry, kind } of steps) {
        const one = entries[entry]!;
        if (kind === "add") {
          roundRobin.add(one);
          if (!waits.has(entry)) waits.set(entry, []);
        } else if (kind === "remove") {
          roundRobin.remove(one);
          waits.delete(entry);
        } else {
          const next = roundRobin.next();
          expect(next === undefined).toBe(waits.size === 0);
          if (next === undefined) continue;
          waits.delete(next.id);
          for (const others of waits.values()) others.push(next.id);
        }
        for (const others of waits.values()) {
          for (const id of others)
            expect(others.filter((other) => other === id).length).toBeLessThanOrEqual(2);
        }
      }
    }),
  );
});
