import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds, postgresKind } from "../../testing/harness/catalogs.ts";
import { postgresPrograms } from "../../testing/harness/servers/postgres.ts";
import type { SharedCatalog } from "../shared-catalog.ts";
import type { StoredSession } from "./catalog.ts";

let place: CatalogPlace;
let catalog: SqlCatalog;

function openEach(create: () => CatalogPlace): void {
  beforeEach(() => {
    place = create();
    catalog = place.open();
  });
  afterEach(() => {
    catalog.close();
    place[Symbol.dispose]();
  });
}

function session(id: string, changes: Partial<StoredSession> = {}): StoredSession {
  return {
    sha256: id.repeat(64).slice(0, 64),
    id,
    kind: "token",
    subject: "1234",
    jwt: null,
    openedAt: 1000,
    expiresAt: 9000,
    usedAt: 1000,
    address: "10.0.0.1",
    agent: "Firefox",
    ...changes,
  };
}

const ids = () => catalog.sessions.all(0).map(({ id }) => id);

describe.each(catalogKinds)("the catalog of sessions $name", ({ create }) => {
  openEach(create);

  test("returns what was entered, also after reopening", () => {
    const jwt = { grants: "read:streams/**", expiresAt: 7000, verifier: "v" };
    const [a, b] = [session("a"), session("b", { kind: "jwt", subject: "ä", jwt, usedAt: 2000 })];
    for (const each of [a, b]) catalog.sessions.enter(each);
    expect(catalog.sessions.find(b.sha256)).toEqual(b);
    catalog.close();
    catalog = place.open();
    expect(catalog.sessions.all(8999)).toEqual([b, a]);
    expect(catalog.sessions.all(9000)).toEqual([]);
    expect(catalog.sessions.find(session("c").sha256)).toBeUndefined();
    expect(catalog.sessions.present([session("c").sha256, a.sha256])).toEqual([a.sha256]);
  });

  test("records uses of sessions that are there, and none that is older than the last", () => {
    const { sha256 } = session("a");
    catalog.sessions.enter(session("a"));
    const gone = session("b").sha256;
    catalog.sessions.use([
      { sha256, at: 3000, address: "10.0.0.9" },
      { sha256: gone, at: 3000, address: "" },
    ]);
    catalog.sessions.use([{ sha256, at: 2000, address: "10.0.0.2" }]);
    expect(catalog.sessions.all(0)).toEqual([session("a", { usedAt: 3000, address: "10.0.0.9" })]);
  });

  test("ends a session by its id or its cookie, once", () => {
    for (const id of ["a", "b", "c"]) catalog.sessions.enter(session(id));
    expect(catalog.sessions.end("a")).toBe(session("a").sha256);
    expect(catalog.sessions.end("a")).toBeUndefined();
    expect(catalog.sessions.remove(session("b").sha256)).toBe(true);
    expect(catalog.sessions.remove(session("b").sha256)).toBe(false);
    expect(ids()).toEqual(["c"]);
  });

  test("removes what has expired, and then what was used longest ago, down to the limit", () => {
    catalog.sessions.enter(session("a", { usedAt: 1001 }));
    catalog.sessions.enter(session("b", { usedAt: 1000 }));
    catalog.sessions.enter(session("c", { usedAt: 1002 }));
    catalog.sessions.enter(session("d", { expiresAt: 2000, usedAt: 1999 }));
    expect(catalog.sessions.trim(1999, 4)).toEqual([]);
    expect(catalog.sessions.trim(2000, 2)).toEqual([session("d").sha256, session("b").sha256]);
    expect(ids()).toEqual(["c", "a"]);
  });

  test("keeps the first key that is entered under a name", () => {
    expect(catalog.keys.keep("links", "first")).toBe("first");
    expect(catalog.keys.keep("links", "second")).toBe("first");
    expect(catalog.keys.keep("other", "second")).toBe("second");
  });
});

describe.skipIf(postgresPrograms === undefined)("other nodes", () => {
  openEach(postgresKind.create);

  test("hear of sessions that end, and of no others", () => {
    const shared = catalog as SqlCatalog & SharedCatalog;
    const news = () => shared.news().sessions;
    const first = news();
    for (const id of ["a", "b", "c"]) catalog.sessions.enter(session(id));
    catalog.sessions.use([{ sha256: session("a").sha256, at: 3000, address: "" }]);
    catalog.sessions.trim(0, 3);
    expect(news()).toBe(first);
    catalog.sessions.end("a");
    const second = news();
    expect(second).toBeGreaterThan(first);
    catalog.sessions.trim(9000, 3);
    expect(news()).toBeGreaterThan(second);
  });
});
