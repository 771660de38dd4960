import { describe, expect, test } from "bun:test";
import { Lru } from "./lru.ts";

function openLru(maxEntries: number): { lru: Lru<number>; evicted: [string, number][] } {
  const evicted: [string, number][] = [];
  return { lru: new Lru<number>(maxEntries, (key, value) => void evicted.push([key, value])), evicted };
}

describe("an LRU", () => {
  test("evicts the entry that was set longest ago when it is over its bound", () => {
    const { lru, evicted } = openLru(2);
    lru.set("a", 1);
    lru.set("b", 2);
    expect(evicted).toEqual([]);
    lru.set("c", 3);
    expect(evicted).toEqual([["a", 1]]);
    expect([lru.get("a"), lru.get("b"), lru.get("c"), lru.size]).toEqual([undefined, 2, 3, 2]);
  });

  test("keeps what is read or set again, and evicts what is only looked for", () => {
    const { lru, evicted } = openLru(3);
    for (const [index, key] of ["a", "b", "c"].entries()) lru.set(key, index);
    lru.get("a");
    lru.set("b", 10);
    expect(lru.has("c")).toBe(true);
    lru.set("d", 3);
    lru.set("e", 4);
    expect(evicted).toEqual([
      ["c", 2],
      ["a", 0],
    ]);
    expect(lru.get("b")).toBe(10);
  });

  test("returns the value it deletes, and evicts nothing for that", () => {
    const { lru, evicted } = openLru(1);
    lru.set("a", 1);
    expect(lru.delete("a")).toBe(1);
    expect(lru.delete("a")).toBeUndefined();
    lru.set("b", 2);
    lru.clear();
    expect(lru.size).toBe(0);
    expect(evicted).toEqual([]);
  });

  test("has evicted the entry when it says so, so that its owner may use it again", () => {
    const sizes: number[] = [];
    const lru: Lru<number> = new Lru(1, (key) => sizes.push(lru.has(key) ? -1 : lru.size));
    lru.set("a", 1);
    lru.set("b", 2);
    expect(sizes).toEqual([1]);
  });
});
