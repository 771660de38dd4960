import { describe, expect, test } from "bun:test";
import { ParameterError } from "../../base/errors.ts";
import { exactTime, readQuery, time } from "./parameters.ts";

const parameters = { from: exactTime(""), to: time("") };
const read = (text: string) => readQuery(parameters, new URLSearchParams(`from=${text}`)).from;
const noon = Date.UTC(2025, 0, 31, 12) * 1000;

describe("a time", () => {
  test.each([
    ["2025-01-31T12:00:00Z", noon],
    ["2025-01-31T12:00Z", noon],
    ["2025-01-31t12:00:00z", noon],
    ["2025-01-31T12:00:00.25Z", noon + 250_000],
    ["2025-01-31T12:00:00.000001Z", noon + 1],
    ["2025-01-31T12:00:00.000000900Z", noon + 1],
    ["2025-01-31T13:00:00%2B01:00", noon],
    ["2025-01-31T13:00:00+01:00", noon],
    ["2025-01-31T06:30:00-05:30", noon],
    ["2025-01-31", noon - 12 * 3_600_000_000],
    [String(noon / 1000), noon],
    [`${noon / 1000}.125`, noon + 125],
    ["0", 0],
  ])("is read from %s", (text, us) => {
    expect(read(text)).toBe(us);
  });

  test("is read as the next whole millisecond where that is enough", () => {
    const { to } = readQuery(parameters, new URLSearchParams("to=2025-01-31T12:00:00.0001Z"));
    expect(to).toBe(noon / 1000 + 1);
  });

  test.each([
    "yesterday",
    "2025-01-31T12:00:00",
    "2025-02-31",
    "2025-13-01T12:00:00Z",
    "2025-01-31T25:00:00Z",
    "2025-01-31T12:00:00.Z",
    "-5",
    "1e3",
    "",
  ])("is not read from %p", (text) => {
    expect(() => read(text)).toThrow(ParameterError);
  });
});
