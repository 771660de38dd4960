import { expect, test } from "bun:test";
import { parseLogLevels } from "./log-levels.ts";

test("a level alone is that of all parts", () => {
  expect(parseLogLevels("warning")).toEqual({ general: "warning", byCategory: [] });
});

test("parts have levels of their own, and the others the general one, or info", () => {
  const byCategory = [
    { category: "wavecache.store", level: "debug" as const },
    { category: "wavecache.songs-udp", level: "error" as const },
  ];
  expect(parseLogLevels("wavecache.store=debug, warning, wavecache.songs-udp=error")).toEqual({
    general: "warning",
    byCategory,
  });
  expect(parseLogLevels("wavecache.store=debug,wavecache.songs-udp=error")).toEqual({
    general: "info",
    byCategory,
  });
});

test.each([
  "",
  "loud",
  "info,debug",
  "store=debug",
  "wavecache=debug",
  "wavecache.store=loud",
  "wavecache.store=debug=info",
  "wavecache.store=debug,wavecache.store=info",
  "info,",
])("%p is no level", (text) => {
  expect(parseLogLevels(text)).toBeUndefined();
});
