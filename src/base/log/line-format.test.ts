import type { LogLevel, LogRecord } from "@logtape/logtape";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { maxLogFieldChars } from "../limits/log.ts";
import { journalLine, jsonLine, lineFormat, terminalLine, textLine } from "./line-format.ts";
import type { Fields } from "./log.ts";

function recordOf(fields: Fields, message = "an event", level: LogLevel = "info"): LogRecord {
  return {
    category: ["wavecache", "part"],
    level,
    message: [message],
    rawMessage: message,
    timestamp: Date.UTC(2026, 0, 31, 9, 5),
    properties: fields,
  };
}

const line = (fields: Fields, message?: string): string => textLine(recordOf(fields, message));

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
        for (const format of [textLine, jsonLine, journalLine]) {
          const written = format(recordOf({ value }));
          expect(written).toEndWith("\n");
          expect(written.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        }
      }),
    );
  });
});

describe("a line of JSON", () => {
  test("has time, level, part and message, and the fields apart", () => {
    const error = new Error("it\nfailed");
    const written = jsonLine(recordOf({ count: 3, level: "a field", error, nothing: undefined }));
    expect(JSON.parse(written)).toEqual({
      "@timestamp": "2026-01-31T09:05:00.000Z",
      level: "INFO",
      logger: "wavecache.part",
      message: "an event",
      fields: { count: 3, level: "a field", error: "it\nfailed", nothing: null },
    });
  });

  test("cuts a long field", () => {
    const { fields } = JSON.parse(jsonLine(recordOf({ value: "x".repeat(10 * maxLogFieldChars) })));
    expect(fields.value.length).toBeLessThan(maxLogFieldChars + 10);
  });
});

test("a line for a terminal is short, and a message in it sends nothing to the terminal", () => {
  const written = terminalLine(recordOf({ id: "x" }, "an\x1b[31mevent"));
  expect(Bun.stripANSI(written)).toBe("09:05:00.000 I part an\\u001b[31mevent id=x\n");
});

test("a line for journald has the priority of syslog, and no time", () => {
  expect(journalLine(recordOf({ id: "x" }, "an event", "warning"))).toBe(
    "<4>wavecache.part: an event id=x\n",
  );
  expect(journalLine(recordOf({}, "an event", "error"))).toBe("<3>wavecache.part: an event\n");
});

test("a file gets JSON, and the stream to journald priorities, unless a format is given", () => {
  using folder = temporaryFolder();
  const descriptor = openSync(join(folder.path, "log"), "w");
  const { dev, ino } = fstatSync(descriptor);
  const record = recordOf({});
  try {
    expect(lineFormat("auto", descriptor)(record)).toBe(jsonLine(record));
    expect(lineFormat("text", descriptor)(record)).toBe(textLine(record));
    process.env["JOURNAL_STREAM"] = `${dev}:${ino}`;
    expect(lineFormat("auto", descriptor)(record)).toBe(journalLine(record));
    process.env["JOURNAL_STREAM"] = `${dev}:${ino}1`;
    expect(lineFormat("auto", descriptor)(record)).toBe(jsonLine(record));
  } finally {
    delete process.env["JOURNAL_STREAM"];
    closeSync(descriptor);
  }
});
