import { expect, test } from "bun:test";
import { axisTimes } from "./axis-times.ts";

/** 23 May 2026, 22:00 in the user's zone, in seconds. */
const evening = new Date(2026, 4, 23, 22).getTime() / 1000;

function labels(count: number, step: number): string[] {
  return axisTimes(Array.from({ length: count }, (_, at) => evening + at * step));
}

test("hours have the clock, and midnight has its day", () => {
  const [ten, eleven, midnight, one] = labels(4, 3_600);
  for (const hour of [ten, eleven, one]) expect(hour).toMatch(/^\d{1,2}[:.]00/);
  expect(midnight).toContain("24");
  expect(midnight).toContain("May");
});

test("days have their dates, and less than minutes has seconds", () => {
  expect(labels(3, 86_400).map((label) => /\d+/.exec(label)![0])).toEqual(["23", "24", "25"]);
  expect(labels(2, 15)[1]).toMatch(/[:.]00[:.]15/);
  expect(labels(1, 0)).toHaveLength(1);
  expect(axisTimes([])).toEqual([]);
});
