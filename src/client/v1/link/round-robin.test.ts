import { expect, test } from "bun:test";
import fc from "fast-check";
import { RoundRobin } from "./round-robin.ts";

test("senders that always have something get their roundRobin one after the other", () => {
  const roundRobin = new RoundRobin<{ name: string; lastRound: number }>();
  const senders = ["a", "b", "c"].map((name) => ({ name, lastRound: 0 }));
  for (const sender of senders) roundRobin.add(sender);
  let order = "";
  for (let i = 0; i < 9; i += 1) {
    const sender = roundRobin.next();
    if (sender === undefined) break;
    order += sender.name;
    roundRobin.add(sender);
  }
  expect(order).toBe("abcabcabc");
});

test("one that comes in the middle of a round goes before those that had their turn in it", () => {
  const roundRobin = new RoundRobin<{ name: string; lastRound: number }>();
  const [bulk, other, late] = ["bulk", "other", "late"].map((name) => ({ name, lastRound: 0 }));
  for (const sender of [bulk!, other!]) roundRobin.add(sender);
  expect(roundRobin.next()).toBe(bulk!);
  roundRobin.add(bulk!);
  roundRobin.add(late!);
  expect([roundRobin.next(), roundRobin.next(), roundRobin.next()]).toEqual([other, late, bulk]);
});

test("nobody waits for more than one turn of each of the others", () => {
  const step = fc.record({ sender: fc.nat(4), kind: fc.constantFrom("add", "remove", "next") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const roundRobin = new RoundRobin<{ id: number; lastRound: number }>();
      const senders = Array.from({ length: 5 }, (_, id) => ({ id, lastRound: 0 }));
      /** RoundRobin that others had while one waits. */
      const waits = new Map<number, number[]>();
      for (const { sender, kind } of steps) {
        const one = senders[sender]!;
        if (kind === "add") {
          roundRobin.add(one);
          if (!waits.has(sender)) waits.set(sender, []);
        } else if (kind === "remove") {
          roundRobin.remove(one);
          waits.delete(sender);
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
