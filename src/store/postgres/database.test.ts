import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { toWavecacheError, type WavecacheError } from "../../base/errors.ts";
import { catalogStatementMs } from "../../base/limits/postgres.ts";
import { postgresKind } from "../../testing/harness/catalogs.ts";
import { postgresPrograms, PostgresServer, postgresServer } from "../../testing/harness/servers/postgres.ts";
import { PostgresCatalog } from "./catalog.ts";
import { PostgresDatabase } from "./database.ts";

const isAvailable = postgresPrograms !== undefined;

const sleep = (ms: number) => `SELECT pg_sleep(${ms / 1000})`;

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return toWavecacheError(error).code;
  }
  throw new Error("nothing was thrown");
}

describe.skipIf(!isAvailable)("a catalog in PostgreSQL", () => {
  const open: Disposable[] = [];
  afterEach(() => {
    for (const each of open.splice(0).toReversed()) each[Symbol.dispose]();
  });

  function openPlace() {
    const place = postgresKind.create();
    open.push(place);
    return (node: string, onFault?: (error: WavecacheError) => void) => {
      const catalog = place.open(onFault === undefined ? { node } : { node, onFault });
      open.push({ [Symbol.dispose]: () => catalog.abandon() });
      return catalog;
    };
  }

  test("rolls everything back if a statement has failed, whoever has caught the error", () => {
    const catalog = openPlace()("a");
    const change = () => {
      catalog.reserve("x", "k", 1);
      // No token has a time that is no number.
      const token = { id: "t", sha256: "s", grants: "*", limits: {}, note: "", createdAt: Number.NaN };
      catalog.tokens.enter({ ...token, expiresAt: null, usedAt: null, revokedAt: null });
      expect(() => catalog.tokens.count()).toThrow("invalid input syntax");
      return "done";
    };
    expect(() => catalog.transaction(change, true)).toThrow("invalid input syntax");
    expect(catalog.find("x")).toBeUndefined();
    expect(catalog.reserve("x", "k", 1)).toBe(true);
  });

  test("ends a statement that takes too long, and goes on, while a script may take longer", () => {
    const database = new PostgresDatabase({ url: postgresServer().createSchema(), node: "test" }, () => {});
    open.push({ [Symbol.dispose]: () => database.close() });
    database.script(sleep(catalogStatementMs + 200));
    expect(codeOf(() => database.prepare<never, []>(sleep(2 * catalogStatementMs)).all())).toBe(
      "CATALOG_BUSY",
    );
    expect(database.prepare<{ one: number }, []>("SELECT 1 AS one").all()).toEqual([{ one: 1 }]);
  }, 30_000);

  test("fails with what has failed first, and nothing later in the transaction hides it", () => {
    const database = new PostgresDatabase({ url: postgresServer().createSchema(), node: "test" }, () => {});
    open.push({ [Symbol.dispose]: () => database.close() });
    database.script("CREATE TABLE names (name text PRIMARY KEY)");
    const [insert, select] = [
      database.prepare<never, [string]>("INSERT INTO names VALUES (?) RETURNING name"),
      database.prepare<never, []>("SELECT name FROM names"),
    ];
    const failures: string[] = [];
    const attempt = (act: () => unknown) => {
      try {
        act();
      } catch (error) {
        failures.push(toWavecacheError(error).message);
      }
    };
    const change = () => {
      // The function that compares the fence is missing.
      attempt(() => insert.all("a"));
      attempt(() => select.all());
      attempt(() => insert.all("b"));
    };
    attempt(() => database.transaction(change, true));
    expect(failures).toHaveLength(4);
    expect(new Set(failures).size).toBe(1);
    expect(failures[0]).toContain("check_fence");
  });

  test("fails with the statement that nobody has waited for", () => {
    const catalog = openPlace()("a");
    const change = () => catalog.accounts.set("x", null);
    catalog.transaction(change, true);
    const wrong = () => catalog.tokens.use([{ id: "t", at: Number.NaN }]);
    expect(codeOf(() => catalog.transaction(wrong, true))).toBe("STORE_FAILED");
  });

  test("fences a node whose work another run has taken over, for good", () => {
    const place = openPlace();
    const faults: string[] = [];
    const first = place("a", ({ code }) => faults.push(code));
    first.reserve("x", "k", 1);
    const second = place("a");
    expect(codeOf(() => first.reserve("y", "k2", 1))).toBe("FENCED");
    expect(codeOf(() => first.transaction(() => first.touch("x", 9, 1), false))).toBe("FENCED");
    expect(codeOf(() => first.find("x"))).toBe("FENCED");
    expect(faults).toEqual(["FENCED"]);
    expect(second.find("y")).toBeUndefined();
    expect(second.find("x")!.size).toBe(0);
    expect(second.reserve("y", "k3", 1)).toBe(true);
  });

  test("keeps the rows and the totals of each node apart, and lists those of all", () => {
    const place = openPlace();
    const [a, b] = [place("a"), place("b")];
    a.reserve("of-a", "ka", 1);
    b.reserve("of-b", "kb", 1);
    expect(b.reserve("of-a", "kb2", 1)).toBe(false);
    b.touch("of-a", 9, 1);
    b.remove("of-a");
    expect(b.find("of-a")!.size).toBe(0);
    expect([a.totals().unfinished, b.totals().unfinished, b.counts().unfinished]).toEqual([1, 1, 2]);
    expect(b.unsettled("", 10)).toEqual([]);
    b.startRun({ id: "boot", startedAt: 1 });
    expect(b.unsettled("", 10).map(({ streamId }) => streamId)).toEqual(["of-b"]);
    const listed = a.list({ state: undefined, after: "", limit: 10 });
    expect(listed.map(({ streamId }) => streamId)).toEqual(["of-a", "of-b"]);
    a.setMeta("fact", "a");
    expect(b.meta("fact")).toBeUndefined();
  });

  test("shows no event before one with a smaller id, whatever node writes it", () => {
    const place = openPlace();
    const [a, b] = [place("a"), place("b")];
    const event = { type: "device.lost", subject: "devices/d", at: 1, data: { deviceId: "d" } } as const;
    a.events.append(event);
    b.events.append(event);
    a.transaction(() => a.events.append(event), false);
    expect(b.events.after(0, 10).map(({ id }) => id)).toEqual([1, 2, 3]);
  });

  test("runs its migrations once, also if several nodes start together", () => {
    const url = postgresServer().createSchema();
    for (const node of ["a", "b"]) {
      const catalog = new PostgresCatalog({ url, node });
      open.push({ [Symbol.dispose]: () => catalog.abandon() });
      expect(catalog.isNew).toBe(true);
    }
    const again = new PostgresCatalog({ url, node: "a" });
    open.push({ [Symbol.dispose]: () => again.abandon() });
    expect(again.isNew).toBe(false);
  });

  test("of a later version is read, unless that has taken something away", () => {
    const url = postgresServer().createSchema();
    new PostgresCatalog({ url, node: "a" }).abandon();
    const database = new PostgresDatabase({ url, node: "b" }, () => {});
    open.push({ [Symbol.dispose]: () => database.close() });
    database.script("UPDATE catalog_version SET version = version + 10");
    new PostgresCatalog({ url, node: "a" }).abandon();
    database.script("UPDATE catalog_version SET oldest_reader = version");
    expect(codeOf(() => new PostgresCatalog({ url, node: "a" }))).toBe("STORE_TOO_NEW");
  });
});

describe.skipIf(!isAvailable)("a PostgreSQL server", () => {
  let server: PostgresServer;
  beforeEach(() => {
    server = PostgresServer.start();
  });
  afterEach(() => server[Symbol.dispose]());

  test("that stops makes every call fail until the catalog is opened anew", async () => {
    const url = server.createSchema();
    const faults: string[] = [];
    const catalog = new PostgresCatalog({ url, node: "a" }, undefined, ({ code }) => faults.push(code));
    catalog.reserve("x", "k", 1);
    await server.stop();
    expect(codeOf(() => catalog.find("x"))).toBe("CATALOG_UNAVAILABLE");
    expect(codeOf(() => catalog.reserve("y", "k", 1))).toBe("CATALOG_UNAVAILABLE");
    expect(faults).toEqual(["CATALOG_UNAVAILABLE"]);
    catalog.abandon();
    expect(codeOf(() => new PostgresCatalog({ url, node: "a" }))).toBe("CATALOG_UNAVAILABLE");
    server.resume();
    const again = new PostgresCatalog({ url, node: "a" });
    expect(again.find("x")).toBeDefined();
    again.close();
  });

  test("that is frozen is given up after the time limit", async () => {
    const url = server.createSchema();
    const catalog = new PostgresCatalog({ url, node: "a" });
    server.freeze();
    expect(codeOf(() => catalog.find("x"))).toBe("CATALOG_UNAVAILABLE");
    catalog.abandon();
    server.thaw();
  });
});
