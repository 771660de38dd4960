import type { LogRecord } from "@logtape/logtape";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { maxLogFieldChars } from "../limits/log.ts";
import { type Fields, formatLine } from "./log.ts";

function line(fields: Fields, message = "an event"): string {
  const record: LogRecord = {
    category: ["wavecache", "part"],
    level: "info",
    message: [message],
    rawMessage: message,
    timestamp: Date.UTC(2026, 0, 31, 9, 5),
    properties: fields,
  };
  return formatLine(record);
}

const head = "2026-01-31T09:05:00.000Z I wavecache.part: an event";

describe("a line of the log", () => {
  test("has the fields behind the message", () => {
    expect(line({ count: 3, isOn: true, id: "a/b-c.1", nothing: undefined })).toBe(
      `${head} count=3 isOn=true id=a/b-c.1 nothing=null\n`,
    );
    expect(line({ text: "two words", error: new Error("it failed"), list: [1, "x"], big: 5n })).toBe(
      `${head} text="two words" error="it failed" list="[1,\\"x\\"]" big=5\n`,
    );
  });

  test.each([
    ["a line break", "a\nb", "a\\nb"],
    ["a carriage return", "a\rb", "a\\rb"],
    ["an escape sequence", "\x1b[31mred\x1b]0;title\x07", "\\u001b[31mred\\u001b]0;title\\u0007"],
    ["a control character of 8 bits", "\x9b31m", "\\u009b31m"],
    ["a delete", "\x7f", "\\u007f"],
    ["a line separator", "a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\u0085d"],
    ["a change of the writing direction", "\u202egnp", "\\u202egnp"],
    ["an invisible character", "a\u200bb\ufeff", "a\\u200bb\\ufeff"],
    ["half a character", "\ud800", "\\ud800"],
    ["an end of the value", 'a" level=ERROR', 'a\\" level=ERROR'],
  ])("escapes %s in a field", (_, value, escaped) => {
    expect(line({ value })).toBe(`${head} value="${escaped}"\n`);
    expect(line({ value: new Error(value) })).toBe(`${head} value="${escaped}"\n`);
  });

  test("escapes the message, too", () => {
    expect(line({}, "a\n\u2028\x1b[0m")).toBe(`${head.replace("an event", "")}a\\u000a\\u2028\\u001b[0m\n`);
  });

  test("cuts a long field", () => {
    const written = line({ value: "x".repeat(10 * maxLogFieldChars) });
    expect(written.length).toBeLessThan(maxLogFieldChars + 200);
  });

  test("is one line, and holds nothing that a terminal obeys, whatever the fields hold", () => {
    const value = fc.oneof(fc.string({ unit: "binary" }), fc.anything({ withBigInt: false }));
    fc.assert(
      fc.property(value, (value) => {
        const written = line({ value });
        expect(written).toEndWith("\n");
        expect(written.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
      }),
    );
  });
});
