import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import type { DeviceRow } from "./catalog.ts";
import { SqliteCatalog } from "../streams/sqlite/catalog.ts";

let folder: ReturnType<typeof temporaryFolder>;
let catalog: SqliteCatalog;
const path = () => join(folder.path, "catalog.db");

beforeEach(() => {
  folder = temporaryFolder();
  catalog = new SqliteCatalog(path());
});
afterEach(() => {
  catalog.close();
  folder[Symbol.dispose]();
});

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

describe("the catalog of devices", () => {
  test("returns what was inserted, also after reopening", () => {
    const devices = [row("a"), row("b", { report: null, mode: 0, seenAt: 3000 })];
    for (const device of devices) catalog.devices.enter(device);
    expect(catalog.devices.all()).toEqual(devices);
    catalog.close();
    catalog = new SqliteCatalog(path());
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
