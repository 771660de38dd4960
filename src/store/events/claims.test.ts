import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { nodeLeaseMs } from "../../base/limits/postgres.ts";
import { type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";
import { postgresPrograms, postgresServer } from "../../testing/harness/servers/postgres.ts";
import { PostgresCatalog } from "../postgres/catalog.ts";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import type { ConsumerClaim } from "./claims.ts";

const open: SqlCatalog[] = [];

afterEach(() => {
  for (const catalog of open.splice(0)) catalog.close();
});

/** Claims a consumer, or looks who owns it. */
function claim({ claims }: SqlCatalog, epoch: number, consumer = "hook/a"): ConsumerClaim {
  return claims.claim([{ consumer, config: "c", epoch }], 7)[0]!;
}

function save({ deliveries }: SqlCatalog, epoch: number, position: number): boolean {
  return deliveries.save({ consumer: "hook/a", epoch, position, changed: [], done: [] }, 10);
}

describe.each(catalogKinds)("a consumer $name", ({ create }) => {
  let place: CatalogPlace;
  let catalog: SqlCatalog;
  beforeEach(() => {
    place = create();
    catalog = place.open();
    open.push(catalog);
  });
  afterEach(() => place[Symbol.dispose]());

  test("that is new is claimed at the newest event, and kept by its epoch", () => {
    expect(claim(catalog, 0)).toMatchObject({ isOwn: true, epoch: 1, position: 7, config: "c", replays: 0 });
    expect(claim(catalog, 1)).toMatchObject({ isOwn: true, epoch: 1 });
    expect(claim(catalog, 1).leaseMs).toBeGreaterThan(nodeLeaseMs / 2);
    expect(save(catalog, 1, 9)).toBe(true);
    expect(claim(catalog, 1).position).toBe(9);
  });

  test("is claimed again by a later run of its node, after which the earlier one saves nothing", () => {
    claim(catalog, 0);
    expect(claim(catalog, 0)).toMatchObject({ isOwn: true, epoch: 2, position: 7 });
    expect(save(catalog, 1, 9)).toBe(false);
    expect(claim(catalog, 2).position).toBe(7);
  });

  test("that was released is nobody's, and its next epoch is another one", () => {
    claim(catalog, 0);
    catalog.claims.release("hook/a", 2);
    expect(save(catalog, 1, 8)).toBe(true);
    catalog.claims.release("hook/a", 1);
    expect(save(catalog, 1, 9)).toBe(false);
    expect(claim(catalog, 0)).toMatchObject({ isOwn: true, epoch: 2, position: 8 });
  });
});

describe.skipIf(postgresPrograms === undefined)("a consumer of several nodes", () => {
  let url: string;
  let a: PostgresCatalog;
  let b: PostgresCatalog;
  beforeEach(() => {
    url = postgresServer().createSchema();
    a = new PostgresCatalog({ url, node: "a" });
    b = new PostgresCatalog({ url, node: "b" });
    open.push(a, b);
  });

  test("belongs to the first that claims it, while others look", () => {
    claim(a, 0);
    expect(claim(b, 0)).toMatchObject({ owner: "a", isOwn: false, epoch: 1 });
    expect(save(b, 1, 9)).toBe(false);
    expect(claim(b, 0, "hook/b")).toMatchObject({ owner: "b", isOwn: true });
    a.claims.release("hook/a", 1);
    expect(claim(b, 0)).toMatchObject({ owner: "b", isOwn: true, epoch: 2 });
    expect(claim(a, 1)).toMatchObject({ owner: "b", isOwn: false });
  });

  test("passes to another once the lease of its owner has ended, which then saves nothing", () => {
    claim(a, 0);
    expect(save(a, 1, 9)).toBe(true);
    postgresServer().expireLeases(url);
    b.renewLease();
    expect(claim(b, 0)).toMatchObject({ owner: "b", isOwn: true, epoch: 2, position: 9 });
    a.renewLease();
    expect(save(a, 1, 11)).toBe(false);
    expect(claim(a, 1)).toMatchObject({ owner: "b", isOwn: false, position: 9 });
  });
});
