/** Each part of the bench with a little of everything, so that it does not rot. */
import { describe, expect, test } from "bun:test";
import { chromiumPath, reportWithoutChromium } from "../../src/testing/harness/chromium.ts";
import { measureCrowd } from "./crowd.ts";
import { measureDay } from "./day.ts";
import { measureLatency } from "./latency.ts";
import { measureSearch } from "./search.ts";

reportWithoutChromium("bench/page/page.test.ts");

const limitMs = 60_000;

describe.skipIf(chromiumPath === null)("the bench of the page", () => {
  test(
    "types into the search, and sees the rows of each key",
    async () => {
      const { opened, keys } = await measureSearch({ streams: 3_000, rounds: 1 });
      expect([opened.count, keys.count]).toEqual([1, 31]);
    },
    limitMs,
  );

  test(
    "sees a recording on screen",
    async () => {
      const { drawn, residentBytes, heapBytes } = await measureDay({ hours: 1, rounds: 1 });
      expect(drawn.count).toBe(1);
      expect(residentBytes).toBeGreaterThan(heapBytes);
      expect(heapBytes).toBeGreaterThan(100_000);
    },
    limitMs,
  );

  test(
    "reads levels as an open page does",
    async () => {
      const figures = await measureCrowd({ pages: 2, devices: 2, seconds: 2 });
      expect(figures.drawnPerSecond).toBeGreaterThan(0);
      expect(figures.readPerSecond).toBeGreaterThan(0);
      expect(figures.devicesShare).toBeGreaterThan(0);
    },
    limitMs,
  );

  test(
    "hears each sound after it was sent",
    async () => {
      const { count, p50 } = await measureLatency(3);
      expect(count).toBe(3);
      expect(p50).toBeGreaterThan(20);
    },
    limitMs,
  );
});
