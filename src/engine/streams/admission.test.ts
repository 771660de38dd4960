import { describe, expect, test } from "bun:test";
import { roomWaitMs } from "../../base/limits/retention.ts";
import { Admission } from "./admission.ts";

const limits = { maxStreamBytes: 1_000, maxCacheBytes: 100 };
const evicting = { reclaim: () => true };

/** The outcome so far. */
function watch(room: Promise<boolean> | undefined): { outcome: boolean | "waits" | "has room" } {
  const watched: { outcome: boolean | "waits" | "has room" } = {
    outcome: room === undefined ? "has room" : "waits",
  };
  void room?.then((hasRoom) => (watched.outcome = hasRoom));
  return watched;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("admission", () => {
  test("refuses what has no room if nothing can be removed", () => {
    const admission = new Admission(limits);
    expect(admission.accept(100)).toBeUndefined();
    expect(admission.refuseWrite(0, 1)?.code).toBe("CACHE_FULL");
    expect(() => admission.checkStart(1)).toThrow("cache is full");
  });

  test("lets uploads wait for room, in their order", async () => {
    const admission = new Admission(limits, evicting);
    admission.objectBytes = 90;
    const waits = [20, 30, 5].map((bytes) => watch(admission.accept(bytes)));
    expect(admission.waitingBytes).toBe(55);
    admission.objectBytes = 60;
    await turn();
    // The last would fit, and comes after the second one all the same.
    expect(waits.map(({ outcome }) => outcome)).toEqual([true, "waits", "waits"]);
    admission.objectBytes = 45;
    await turn();
    expect(waits.map(({ outcome }) => outcome)).toEqual([true, true, true]);
    expect(admission.waitingBytes).toBe(0);
  });

  test("gives up after a second", async () => {
    const admission = new Admission(limits, evicting);
    admission.objectBytes = 100;
    const before = performance.now();
    expect(await admission.accept(1)).toBe(false);
    expect(performance.now() - before).toBeGreaterThan(roomWaitMs - 50);
  });

  test("counts what was admitted against the room of a disk, until it is measured anew", async () => {
    const admission = new Admission({ ...limits, maxCacheBytes: 10_000 }, evicting);
    admission.measuredDiskRoom(50, 20);
    expect(admission.accept(30)).toBeUndefined();
    const waits = watch(admission.accept(1));
    expect(waits.outcome).toBe("waits");
    admission.measuredDiskRoom(0, 0);
    await turn();
    expect(waits.outcome).toBe("waits");
    admission.measuredDiskRoom(1, 0);
    await turn();
    expect(waits.outcome).toBe(true);
  });
});
