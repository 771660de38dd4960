import { expect, test } from "bun:test";
import fc from "fast-check";
import { Turns } from "./fairness.ts";

test("senders that always have something get their turns one after the other", () => {
  const turns = new Turns<{ name: string; lastRound: number }>();
  const senders = ["a", "b", "c"].map((name) => ({ name, lastRound: 0 }));
  for (const sender of senders) turns.add(sender);
  let order = "";
  for (let i = 0; i < 9; i += 1) {
    const sender = turns.next();
    if (sender === undefined) break;
    order += sender.name;
    turns.add(sender);
  }
  expect(order).toBe("abcabcabc");
});

test("one that comes in the middle of a round goes before those that had their turn in it", () => {
  const turns = new Turns<{ name: string; lastRound: number }>();
  const [bulk, other, late] = ["bulk", "other", "late"].map((name) => ({ name, lastRound: 0 }));
  for (const sender of [bulk!, other!]) turns.add(sender);
  expect(turns.next()).toBe(bulk!);
  turns.add(bulk!);
  turns.add(late!);
  expect([turns.next(), turns.next(), turns.next()]).toEqual([other, late, bulk]);
});

test("nobody waits for more than one turn of each of the others", () => {
  const step = fc.record({ sender: fc.nat(4), kind: fc.constantFrom("add", "remove", "next") });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const turns = new Turns<{ id: number; lastRound: number }>();
      const senders = Array.from({ length: 5 }, (_, id) => ({ id, lastRound: 0 }));
      /** Turns that others had while one waits. */
      const waits = new Map<number, number[]>();
      for (const { sender, kind } of steps) {
        const one = senders[sender]!;
        if (kind === "add") {
          turns.add(one);
          if (!waits.has(sender)) waits.set(sender, []);
        } else if (kind === "remove") {
          turns.remove(one);
          waits.delete(sender);
        } else {
          const next = turns.next();
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
