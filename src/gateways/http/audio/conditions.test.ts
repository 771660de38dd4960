import { describe, expect, test } from "bun:test";
import { allowsRange, evaluateConditions, type Outcome } from "./conditions.ts";
import { formatHttpDate } from "./http-date.ts";

const modified = Date.UTC(2025, 0, 31, 9, 5, 7, 250);
const date = formatHttpDate(modified);
const earlier = formatHttpDate(modified - 1000);
const later = formatHttpDate(modified + 1000);
const finished = { etag: '"abc"', lastModified: modified };
/** Of an upload in progress. */
const none = { etag: undefined, lastModified: undefined };

describe("preconditions", () => {
  test.each<[Record<string, string>, Outcome]>([
    [{}, "proceed"],
    [{ "if-none-match": '"abc"' }, "not modified"],
    [{ "if-none-match": 'W/"abc"' }, "not modified"],
    [{ "if-none-match": '"x", "abc"' }, "not modified"],
    [{ "if-none-match": '"x","abc","y"' }, "not modified"],
    [{ "if-none-match": ' ,, "abc" ,' }, "not modified"],
    [{ "if-none-match": '"a,b", "abc"' }, "not modified"],
    [{ "if-none-match": "*" }, "not modified"],
    [{ "if-none-match": '"x"' }, "proceed"],
    [{ "if-none-match": '"ABC"' }, "proceed"],
    [{ "if-none-match": "abc" }, "proceed"],
    [{ "if-none-match": '"abc' }, "proceed"],
    [{ "if-none-match": '"abc" "abc"' }, "proceed"],
    [{ "if-none-match": 'w/"abc"' }, "proceed"],
    [{ "if-none-match": '"*"' }, "proceed"],
    [{ "if-none-match": "" }, "proceed"],
    [{ "if-match": '"abc"' }, "proceed"],
    [{ "if-match": "*" }, "proceed"],
    [{ "if-match": '"x", "abc"' }, "proceed"],
    [{ "if-match": 'W/"abc"' }, "failed"],
    [{ "if-match": '"x"' }, "failed"],
    [{ "if-match": "abc" }, "failed"],
    [{ "if-match": "" }, "failed"],
    [{ "if-modified-since": date }, "not modified"],
    [{ "if-modified-since": later }, "not modified"],
    [{ "if-modified-since": earlier }, "proceed"],
    [{ "if-modified-since": "Friday, 31-Jan-25 09:05:07 GMT" }, "not modified"],
    [{ "if-modified-since": "Fri Jan 31 09:05:07 2025" }, "not modified"],
    [{ "if-modified-since": "yesterday" }, "proceed"],
    [{ "if-modified-since": "2037-01-01" }, "proceed"],
    [{ "if-modified-since": "Fri, 31 Jan 2025 25:05:07 GMT" }, "proceed"],
    [{ "if-unmodified-since": date }, "proceed"],
    [{ "if-unmodified-since": later }, "proceed"],
    [{ "if-unmodified-since": earlier }, "failed"],
    [{ "if-unmodified-since": "0" }, "proceed"],
    // The order of RFC 9110, section 13.2.2: tags before dates, and conditions on the old state first.
    [{ "if-match": '"abc"', "if-unmodified-since": earlier }, "proceed"],
    [{ "if-none-match": '"x"', "if-modified-since": later }, "proceed"],
    [{ "if-none-match": '"abc"', "if-modified-since": earlier }, "not modified"],
    [{ "if-match": '"x"', "if-none-match": '"abc"' }, "failed"],
    [{ "if-match": '"abc"', "if-none-match": '"abc"' }, "not modified"],
  ])("%j: %s", (headers, expected) => {
    expect(evaluateConditions(new Headers(headers), finished)).toBe(expected);
  });

  test.each<[Record<string, string>, Outcome]>([
    [{ "if-none-match": '"abc"' }, "proceed"],
    [{ "if-none-match": "*" }, "not modified"],
    [{ "if-match": '"abc"' }, "failed"],
    [{ "if-match": "*" }, "proceed"],
    [{ "if-modified-since": later }, "proceed"],
    [{ "if-unmodified-since": earlier }, "proceed"],
  ])("of audio without validators, %j: %s", (headers, expected) => {
    expect(evaluateConditions(new Headers(headers), none)).toBe(expected);
  });

  test("lists of any length are read in time that grows with the length", () => {
    const headers = new Headers({ "if-none-match": `${'"x", '.repeat(20_000)}"abc"` });
    expect(evaluateConditions(headers, finished)).toBe("not modified");
    expect(evaluateConditions(new Headers({ "if-match": " \t".repeat(20_000) + "x" }), finished)).toBe(
      "failed",
    );
  });
});

describe("If-Range", () => {
  test.each<[string, boolean]>([
    ['"abc"', true],
    [' "abc" ', true],
    ['W/"abc"', false],
    ['"x"', false],
    ['"abc", "x"', false],
    ["abc", false],
    ["*", false],
    ["", false],
    [date, true],
    [earlier, false],
    [later, false],
    ["never", false],
  ])("%j: a range is %p", (value, expected) => {
    expect(allowsRange(new Headers({ "if-range": value }), finished)).toBe(expected);
  });

  test("without the header a range is permitted; without validators none matches", () => {
    expect(allowsRange(new Headers(), none)).toBe(true);
    expect(allowsRange(new Headers({ "if-range": '"abc"' }), none)).toBe(false);
    expect(allowsRange(new Headers({ "if-range": date }), none)).toBe(false);
  });
});
