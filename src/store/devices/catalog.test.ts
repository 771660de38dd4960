import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { DeviceRow } from "./catalog.ts";
import type { SqlCatalog } from "../streams/sql/catalog.ts";
import { type CatalogPlace, catalogKinds } from "../../testing/harness/catalogs.ts";

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

function row(deviceId: string, changes: Partial<DeviceRow> = {}): DeviceRow {
  return {
    deviceId,
    mode: 3,
    report: {
      leds: [0, 1, 2, 3, 4, 0xffffffff],
      pressed: [true, false, false, true],
      battery: 0.5,
      at: 1500,
    },
    createdAt: 1000,
    seenAt: 2000,
    ...changes,
  };
}

describe.each(catalogKinds)("the catalog of devices $name", ({ create }) => {
  openEach(create);

  test("returns what was inserted, also after reopening", () => {
    const devices = [row("a"), row("b", { report: null, mode: 0, seenAt: 3000 })];
    for (const device of devices) catalog.devices.enter(device);
    expect(catalog.devices.all()).toEqual(devices);
    catalog.close();
    catalog = place.open();
    expect(catalog.devices.all()).toEqual(devices);
  });

  test("keeps one row per device, the newest", () => {
    catalog.devices.enter(row("a"));
    catalog.devices.enter(row("a", { mode: 5 }));
    expect(catalog.devices.all()).toEqual([row("a", { mode: 5 })]);
  });

  test("lists the least recently seen device first, and removes devices", () => {
    for (const [deviceId, seenAt] of [
      ["a", 3],
      ["b", 1],
      ["c", 2],
    ] as const)
      catalog.devices.enter(row(deviceId, { seenAt }));
    expect(catalog.devices.all().map((each) => each.deviceId)).toEqual(["b", "c", "a"]);
    catalog.devices.remove("c");
    expect(catalog.devices.all().map((each) => each.deviceId)).toEqual(["b", "a"]);
  });
});
