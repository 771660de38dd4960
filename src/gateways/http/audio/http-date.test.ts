import { expect, test } from "bun:test";
import { formatHttpDate, parseHttpDate } from "./http-date.ts";

const expected = Date.UTC(1994, 10, 6, 8, 49, 37);

test("the three forms of a date are the same date", () => {
  for (const text of [
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
  ]) {
    expect(parseHttpDate(text), text).toBe(expected);
  }
  expect(formatHttpDate(expected)).toBe("Sun, 06 Nov 1994 08:49:37 GMT");
  expect(parseHttpDate("Saturday, 01-Jan-00 00:00:00 GMT")).toBe(Date.UTC(2000, 0, 1));
});

test.each([
  "",
  "0",
  "now",
  "1994-11-06T08:49:37Z",
  "Sun, 6 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37 UTC",
  "Sun, 06 Nov 1994 08:49 GMT",
  "Sun, 06 nov 1994 08:49:37 GMT",
  "Sun, 40 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
])("%j is no date", (text) => {
  expect(parseHttpDate(text)).toBeUndefined();
});
