import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ErrorCode } from "../../base/errors.ts";
import { evictionGraceMs, silentFlood } from "../../base/limits/connections.ts";
import { connectionLimit } from "../../testing/fixtures/connection-limit.ts";
import { until } from "../../testing/harness/until.ts";
import { type ConnectionLimit, ConnectionSlot } from "./connection-limit.ts";

const one = "192.0.2.1";
const other = "192.0.2.2";

/** A connection that keeps why it was evicted. */
class Connection {
  readonly slot: ConnectionSlot | ErrorCode;
  evicted: ErrorCode | undefined;

  constructor(limit: ConnectionLimit, address = one) {
    this.slot = limit.admit(address, (code) => (this.evicted = code));
  }

  get place(): ConnectionSlot {
    if (this.slot instanceof ConnectionSlot) return this.slot;
    throw new Error(`refused with ${this.slot}`);
  }
}

function speaking(limit: ConnectionLimit, address = one): Connection {
  const connection = new Connection(limit, address);
  connection.place.spoke();
  return connection;
}

describe("a connection limit", () => {
  test("refuses a connection while all others have spoken, and admits one when another ends", () => {
    const limit = connectionLimit({ max: 2 });
    const first = speaking(limit);
    speaking(limit);
    expect(new Connection(limit).slot).toBe("CONNECTIONS_EXHAUSTED");
    first.place.release();
    first.place.release();
    expect(limit.open).toBe(1);
    expect(new Connection(limit).place).toBeDefined();
  });

  test("evicts the oldest silent connection for a new one", async () => {
    const limit = connectionLimit({ max: 3 });
    const spoken = speaking(limit);
    const [oldest, younger] = [new Connection(limit), new Connection(limit)];
    expect(new Connection(limit).slot).toBe("CONNECTIONS_EXHAUSTED");
    await Bun.sleep(evictionGraceMs);
    expect(new Connection(limit).place).toBeDefined();
    expect([spoken, oldest, younger].map(({ evicted }) => evicted)).toEqual([
      undefined,
      "CONNECTIONS_EXHAUSTED",
      undefined,
    ]);
    expect(limit.open).toBe(3);
  });

  test("evicts at once in a flood of silent connections", () => {
    const limit = connectionLimit({ max: silentFlood });
    const flood = Array.from({ length: 10 * silentFlood }, () => new Connection(limit));
    expect(flood.every(({ slot }) => slot instanceof ConnectionSlot)).toBe(true);
    expect(flood.map(({ evicted }) => evicted !== undefined)).toEqual([
      ...Array<boolean>(9 * silentFlood).fill(true),
      ...Array<boolean>(silentFlood).fill(false),
    ]);
  });

  test("limits each address, and evicts connections of the same address only", () => {
    const limit = connectionLimit({ maxPerAddress: silentFlood });
    const neighbour = new Connection(limit, other);
    const flood = Array.from({ length: silentFlood + 1 }, () => new Connection(limit));
    expect(flood[0]!.evicted).toBe("ADDRESS_EXHAUSTED");
    expect(neighbour.evicted).toBeUndefined();
    for (const { slot } of flood.slice(1)) (slot as ConnectionSlot).spoke();
    expect(new Connection(limit).slot).toBe("ADDRESS_EXHAUSTED");
    expect(new Connection(limit, other).place).toBeDefined();
  });

  test("exempts loopback addresses from the limit per address if told so", () => {
    const limit = connectionLimit({ maxPerAddress: 1, limitsLoopback: false });
    for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"]) {
      for (let count = 0; count < 3; count++) speaking(limit, address);
    }
    speaking(limit);
    expect(new Connection(limit).slot).toBe("ADDRESS_EXHAUSTED");
  });

  test("needs the place of a silent connection while descriptors are short", async () => {
    const limit = connectionLimit();
    const silent = new Connection(limit);
    await Bun.sleep(evictionGraceMs);
    limit.isShort = true;
    speaking(limit);
    expect(silent.evicted).toBe("CONNECTIONS_EXHAUSTED");
    expect(new Connection(limit).slot).toBe("CONNECTIONS_EXHAUSTED");
  });

  test("closes a connection that stays silent, and no other", async () => {
    const limit = connectionLimit({ firstMessageMs: 100 });
    const [silent, spoken] = [new Connection(limit), speaking(limit)];
    await until("the silent one is closed", 5_000, () => silent.evicted === "PEER_SILENT");
    expect(spoken.evicted).toBeUndefined();
    expect(limit.open).toBe(1);
    limit.close();
  });

  test("counts every connection once, whatever happens in which order", () => {
    const steps = fc.array(fc.tuple(fc.constantFrom("open", "speak", "end"), fc.nat(30)), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (all) => {
        const limit = connectionLimit({ max: 20, maxPerAddress: 8 });
        const slots: ConnectionSlot[] = [];
        const open = new Set<ConnectionSlot>();
        for (const [step, number] of all) {
          const slot = slots[number % Math.max(1, slots.length)];
          if (step === "open") {
            const admitted = limit.admit(`192.0.2.${number % 4}`, () =>
              open.delete(admitted as ConnectionSlot),
            );
            if (typeof admitted === "string") continue;
            slots.push(admitted);
            open.add(admitted);
          } else if (step === "speak") slot?.spoke();
          else if (slot !== undefined) {
            slot.release();
            open.delete(slot);
          }
          if (limit.open !== open.size || limit.open > 20) return false;
        }
        return true;
      }),
    );
  });
});
