import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";
import type { ConsumerClaim } from "./claims.ts";
import type { DeliveryRow } from "./deliveries.ts";

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

function row(id: number, isDead: boolean): DeliveryRow {
  const event = { id, type: "device.lost", subject: "devices/a", at: 1, data: "{}" } as const;
  return { ...event, attempts: 1, firstFailedAt: 1, nextAt: 2, error: "refused", isDead };
}

/** What the catalog knows of a consumer, which is claimed. */
function claimOf(consumer: string): ConsumerClaim {
  return catalog.claims.claim([{ consumer, config: "", epoch: 0 }], 0)[0]!;
}

function save(consumer: string, position: number): void {
  const { epoch } = claimOf(consumer);
  const changed = [row(1, true), row(2, false)];
  expect(catalog.deliveries.save({ consumer, epoch, position, changed, done: [] }, 10)).toBe(true);
}

/** Whether everything of a consumer is there; fails if it is there in part. */
function isKept(consumer: string): boolean {
  const { deliveries } = catalog;
  const parts = [
    deliveries.rows(consumer, true, 10).length === 1,
    deliveries.rows(consumer, false, 10).length === 1,
  ];
  expect(new Set(parts).size).toBe(1);
  return parts[0]!;
}

describe.each(catalogKinds)("consumers $name", ({ create }) => {
  openEach(create);

  test("that are gone for long enough lose their rows, the others nothing", () => {
    for (const consumer of ["hook/a", "hook/b"]) save(consumer, 5);
    catalog.deliveries.keepConsumers(["hook/a", "hook/b"], 1_000, 0);
    catalog.deliveries.keepConsumers(["hook/a"], 2_000, 1_000);
    expect([isKept("hook/a"), isKept("hook/b")]).toEqual([true, true]);
    save("hook/a", 6);
    catalog.deliveries.keepConsumers(["hook/a"], 3_000, 1_001);
    expect([isKept("hook/a"), isKept("hook/b")]).toEqual([true, false]);
    expect(claimOf("hook/a").position).toBe(6);
    expect(claimOf("hook/b").position).toBe(0);
  });

  test("that were never noted count from the first time", () => {
    save("hook/a", 5);
    catalog.deliveries.keepConsumers([], 1_000, 900);
    catalog.deliveries.keepConsumers([], 1_100, 1_000);
    expect(isKept("hook/a")).toBe(true);
    catalog.deliveries.keepConsumers([], 1_101, 1_001);
    expect(isKept("hook/a")).toBe(false);
  });

  test("that are there stay, however long the server was off", () => {
    save("hook/a", 5);
    catalog.deliveries.keepConsumers(["hook/a"], 1_000, 0);
    catalog.deliveries.keepConsumers(["hook/a"], 1_000_000, 900_000);
    expect(isKept("hook/a")).toBe(true);
  });

  test("deliver again what they have given up, all of it or one event", () => {
    const { epoch } = claimOf("hook/a");
    const changed = [row(1, true), row(2, false), row(3, true), row(4, true)];
    catalog.deliveries.save({ consumer: "hook/a", epoch, position: 4, changed, done: [] }, 10);
    expect(catalog.deliveries.revive("hook/a", 3)).toBe(1);
    expect(catalog.deliveries.rows("hook/a", true, 10).map(({ id }) => id)).toEqual([1, 4]);
    expect(catalog.deliveries.revive("hook/a", 2)).toBe(0);
    expect(catalog.deliveries.revive("hook/b", null)).toBe(0);
    expect(claimOf("hook/a").replays).toBe(1);
    expect(catalog.deliveries.revive("hook/a", null)).toBe(2);
    expect(claimOf("hook/a").replays).toBe(2);
    const fresh = { attempts: 0, firstFailedAt: null, nextAt: 0, isDead: false };
    expect(catalog.deliveries.rows("hook/a", false, 10)).toMatchObject([
      { id: 1, ...fresh },
      { id: 2, attempts: 1 },
      { id: 3, ...fresh },
      { id: 4, ...fresh },
    ]);
  });
});
