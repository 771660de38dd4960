import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";
import type { TokenRow } from "./catalog.ts";

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

function row(id: string, changes: Partial<TokenRow> = {}): TokenRow {
  return {
    id,
    sha256: id.repeat(64).slice(0, 64),
    grants: "read:streams/**",
    limits: { connections: 3 },
    note: "kitchen mic",
    createdAt: 1000,
    expiresAt: null,
    usedAt: null,
    revokedAt: null,
    ...changes,
  };
}

const ids = () => catalog.tokens.all().map(({ id }) => id);

describe.each(catalogKinds)("the catalog of tokens $name", ({ create }) => {
  openEach(create);

  test("returns what was inserted, oldest first, also after reopening", () => {
    const tokens = [row("b", { expiresAt: 5 }), row("a", { createdAt: 2000, limits: {} })];
    for (const token of tokens.toReversed()) catalog.tokens.enter(token);
    expect(catalog.tokens.all()).toEqual(tokens);
    catalog.close();
    catalog = place.open();
    expect(catalog.tokens.all()).toEqual(tokens);
    expect(catalog.tokens.count()).toBe(2);
  });

  test("revokes a token once", () => {
    catalog.tokens.enter(row("a"));
    expect(catalog.tokens.revoke("a", 7)).toBe(true);
    expect(catalog.tokens.revoke("a", 8)).toBe(false);
    expect(catalog.tokens.revoke("b", 8)).toBe(false);
    expect(catalog.tokens.all()).toEqual([row("a", { revokedAt: 7 })]);
  });

  test("records the last use of tokens that are there", () => {
    catalog.tokens.enter(row("a"));
    catalog.tokens.use([
      { id: "a", at: 9 },
      { id: "gone", at: 9 },
    ]);
    expect(catalog.tokens.all()).toEqual([row("a", { usedAt: 9 })]);
  });

  test("removes the token that ended first, and none that is valid", () => {
    catalog.tokens.enter(row("a", { expiresAt: 100 }));
    catalog.tokens.enter(row("b", { expiresAt: 900, revokedAt: 50 }));
    catalog.tokens.enter(row("c", { expiresAt: 1000 }));
    catalog.tokens.enter(row("d"));
    expect(catalog.tokens.removeEnded(500)).toBe(true);
    expect(ids()).toEqual(["a", "c", "d"]);
    expect(catalog.tokens.removeEnded(500)).toBe(true);
    expect(ids()).toEqual(["c", "d"]);
    expect(catalog.tokens.removeEnded(500)).toBe(false);
  });
});
