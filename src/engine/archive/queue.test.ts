import { expect, test } from "bun:test";
import { openLog } from "../../base/log/log.ts";
import { Readiness } from "../../base/readiness.ts";
import { until } from "../../testing/harness/until.ts";
import type { ArchiveItem } from "../../store/archive/catalog.ts";
import { ArchiveAvailability } from "./availability.ts";
import { ArchiveQueue, type QueueHost } from "./queue.ts";

const item: ArchiveItem = {
  sha256: "a".repeat(64),
  size: 1,
  key: "objects/aa/key",
  isArchived: false,
  isLocal: true,
  queuedAt: 1,
  failures: 0,
  uploadId: null,
  recording: null,
};

test("an object stays in the queue while the pace defers it, and is stored then without another upload", async () => {
  let mayStore = false;
  let looks = 0;
  const calls: string[] = [];
  let waiting = [item];
  const keeper = {
    call: async (name: string) => {
      if (name === "archiveDue") return waiting;
      if (name === "archived") waiting = [];
      return name === "archived" ? true : name === "archiveFill" ? false : [];
    },
  };
  const archiver = {
    call: async (name: string) => {
      calls.push(name);
      return name === "unfinishedUploads" ? [] : null;
    },
    watchUploads: () => {},
  };
  const stored: ArchiveItem[] = [];
  const queue = new ArchiveQueue(
    {
      keeper: keeper as unknown as QueueHost["keeper"],
      archiver: archiver as unknown as QueueHost["archiver"],
      availability: new ArchiveAvailability(new Readiness(), openLog("test")),
      keysUnderWay: () => [],
      pace: {
        mayStore: () => {
          looks += 1;
          return mayStore;
        },
        caughtUp: () => {},
      },
      archived: (each) => stored.push(each),
      damaged: () => {},
    },
    openLog("test"),
  );
  queue.open();
  queue.wake();
  await until("the second look", 5_000, () => looks >= 2);
  expect(calls).toEqual(["unfinishedUploads"]);
  mayStore = true;
  await until("the object", 5_000, () => stored.length === 1);
  expect(calls).toEqual(["unfinishedUploads", "put"]);
  await queue.close();
});
