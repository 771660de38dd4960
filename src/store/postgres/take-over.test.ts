/** What a node has left behind that died, and any other node can do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { deadNodeMs } from "../../base/limits/postgres.ts";
import { postgresPrograms, postgresServer } from "../../testing/harness/servers/postgres.ts";
import { PostgresCatalog } from "./catalog.ts";

const bucket = "s3://bucket/@aws";
let url: string;
let a: PostgresCatalog;
let b: PostgresCatalog;

const open = (node: string) => new PostgresCatalog({ url, node });
const keysOf = ({ archive }: PostgresCatalog) => archive.removals(0, 100, []).map(({ key }) => key);

/** Node a has keys to remove, and its lease has ended so long ago. */
function leave(endedMs: number, archive = bucket): void {
  a.archive.use(archive);
  for (const key of ["k1", "k2", "k3"]) a.archive.discard({ key, size: 5 });
  a.abandon();
  postgresServer().expireLeases(url, endedMs);
  b.renewLease();
}

describe.skipIf(postgresPrograms === undefined)("keys that a node was to remove from the archive", () => {
  beforeEach(() => {
    url = postgresServer().createSchema();
    a = open("a");
    b = open("b");
    b.archive.use(bucket);
  });
  afterEach(() => b.close());

  test("are removed by another once the node is dead for long, and by that one alone", () => {
    leave(deadNodeMs + 5_000);
    expect(keysOf(b)).toEqual([]);
    expect(b.takeOverWork()).toBe(3);
    expect(keysOf(b)).toEqual(["k1", "k2", "k3"]);
    expect(b.archive.totals().removals).toBe(3);
    expect(b.takeOverWork()).toBe(0);
    const c = open("c");
    c.archive.use(bucket);
    expect(c.takeOverWork()).toBe(0);
    c.close();
    a = open("a");
    expect([keysOf(a), a.archive.totals().removals]).toEqual([[], 0]);
    a.close();
  });

  test("stay with a node that may be back soon", () => {
    leave(deadNodeMs - 60_000);
    expect(b.takeOverWork()).toBe(0);
    expect(keysOf(b)).toEqual([]);
  });

  test("stay if they are in another archive, or this node has none", () => {
    leave(deadNodeMs + 5_000, "s3://other/@aws");
    expect(b.takeOverWork()).toBe(0);
    b.archive.use(undefined);
    expect(b.takeOverWork()).toBe(0);
  });
});
