/** What a node has left behind that died, and any other node can do. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { deadNodeMs } from "../../base/limits/postgres.ts";
import { postgresPrograms, postgresServer } from "../../testing/harness/servers/postgres.ts";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { Journal } from "../journal/journal.ts";
import { CacheLayout } from "../layout.ts";
import { commitGroup } from "../streams/commit.ts";
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

test.skipIf(postgresPrograms === undefined)(
  "an upload that another node has taken over meanwhile is not committed, and says so",
  async () => {
    using folder = temporaryFolder();
    const layout = new CacheLayout(folder.path);
    layout.create();
    const place = postgresServer().createSchema();
    const [owner, other] = ["a", "b"].map((node) => new PostgresCatalog({ url: place, node }));
    const journal = new Journal(layout.journal);
    writeFileSync(layout.incomingPath("k1"), "audio");
    owner!.reserve("x", "k1", 1);
    expect(other!.takeOver(other!.find("x")!, "k2", 2)).toBe(true);
    const item = { streamId: "x", key: "k1", size: 5, sha256: "a".repeat(64), format: null };
    const [outcome] = await commitGroup({ layout, catalog: owner!, journal }, [item], 3);
    expect(outcome).toHaveProperty("error.code", "STREAM_TAKEN_OVER");
    expect(other!.find("x")).toMatchObject({ state: "unfinished", key: "k2" });
    await journal.close();
    owner!.close();
    other!.close();
  },
);
