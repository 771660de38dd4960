import { expect, test } from "bun:test";
import { errorRow, WavecacheError } from "../../base/errors.ts";
import { maxConnectedDevices, maxRememberedDevices } from "../../base/limits/devices.ts";
import {
  FakeSounds,
  MemoryEvents,
  MemoryLog,
  MemoryStore,
} from "../../testing/harness/servers/device-gateway.ts";
import type { DeviceRow } from "../../store/devices/catalog.ts";
import { until } from "../../testing/harness/until.ts";
import { ClusterDevices } from "./remote/cluster-devices.ts";
import { Devices } from "./devices.ts";
import { MessageRate } from "./message-rate.ts";

const sink = { end: () => undefined };

async function open(store = new MemoryStore()): Promise<Devices> {
  const devices = new Devices(
    { store, sounds: new FakeSounds(), events: new MemoryEvents() },
    { leadMs: 0, flashMs: 0 },
    new MemoryLog(),
  );
  await devices.open();
  return devices;
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof WavecacheError ? error.code : String(error);
  }
}

test("no more devices connect than the limit allows, and a device that leaves makes room", async () => {
  const devices = await open();
  const streams = Array.from({ length: maxConnectedDevices }, (_, n) =>
    devices.openEvents(`d${n}`, "p", sink),
  );
  expect(codeOf(() => devices.openEvents("more", "p", sink))).toBe("DEVICES_EXHAUSTED");
  expect(
    codeOf(() => devices.openAudio("d0", "p", { send: () => true, end: () => undefined })),
  ).toBeUndefined();
  streams[1]!.close();
  expect(codeOf(() => devices.openEvents("more", "p", sink))).toBeUndefined();
  expect(devices.connected).toBe(maxConnectedDevices);
  await devices.close();
  expect(devices.connected).toBe(0);
  expect(codeOf(() => devices.openEvents("d0", "p", sink))).toBe("SHUTTING_DOWN");
});

function row(n: number): DeviceRow {
  return { deviceId: `old-${n}`, mode: 1, report: null, createdAt: n, seenAt: n };
}

test("the device that has been away longest is forgotten, also in the store, but no connected one", async () => {
  const store = new MemoryStore();
  for (let n = 0; n < maxRememberedDevices; n++) store.rows.set(`old-${n}`, row(n));
  const devices = await open(store);
  devices.openEvents("old-0", "p", sink);
  devices.openEvents("new", "p", sink);
  expect(codeOf(() => devices.find("old-1"))).toBe("DEVICE_UNKNOWN");
  expect(devices.find("old-0").connectedAt).toBeDefined();
  expect(devices.find("old-2").mode).toBe(1);
  await until("the store to follow", 5_000, () => store.rows.has("new") && !store.rows.has("old-1"));
  expect(store.rows.size).toBe(maxRememberedDevices);
  await devices.close();
});

test("a list has pages sorted by id, of all devices or of the connected ones", async () => {
  const devices = await open();
  for (const id of ["c", "a", "b"]) devices.openEvents(id, "p", sink);
  devices.openEvents("gone", "p", sink).close();
  const listed = new ClusterDevices(devices, { running: () => [] }, undefined);
  const ids = (connected: boolean | undefined, after: string, limit: number) =>
    listed.list({ connected, after, limit }).map(({ deviceId }) => deviceId);
  expect(ids(undefined, "", 10)).toEqual(["a", "b", "c", "gone"]);
  expect(ids(true, "", 2)).toEqual(["a", "b"]);
  expect(ids(true, "b", 2)).toEqual(["c"]);
  expect(ids(false, "", 2)).toEqual(["gone"]);
  await devices.close();
});

test("a rate allows a burst, and then a number of messages a second", () => {
  const rate = new MessageRate(3, 10, 0);
  expect([0, 0, 0, 0].map((now) => rate.take(now))).toEqual([true, true, true, false]);
  expect([50, 100, 150, 200].map((now) => rate.take(now))).toEqual([false, true, false, true]);
  expect([10_000, 10_000, 10_000, 10_000].map((now) => rate.take(now))).toEqual([true, true, true, false]);
});

test("device errors have the gRPC status that clients act on", () => {
  expect(errorRow("BAD_DEVICE_ID").grpc).toBe(3);
  expect(errorRow("DEVICES_EXHAUSTED").grpc).toBe(8);
  expect(errorRow("MESSAGES_EXHAUSTED").grpc).toBe(8);
  expect(errorRow("SHUTTING_DOWN").grpc).toBe(14);
});
