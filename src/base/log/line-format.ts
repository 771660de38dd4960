/**
 * How an event becomes one line: text, JSON, short text with colors for a terminal, or text with a priority for journald.
 * Whatever the event holds, the line has no further line break, and nothing of the event that a terminal obeys.
 */
import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import {
  getAnsiColorFormatter,
  getJsonLinesFormatter,
  getTextFormatter,
  type LogLevel,
  type LogRecord,
} from "@logtape/logtape";
import { maxLogFieldChars } from "../limits/log.ts";
import { escapeInJson, unsafeCharacters } from "./unsafe-characters.ts";

export const logFormats = ["auto", "text", "json", "terminal", "journal"] as const;
export type LogFormat = (typeof logFormats)[number];

export type LineFormat = (record: LogRecord) => string;

const formats: Record<Exclude<LogFormat, "auto">, LineFormat> = {
  text: textLine,
  json: jsonLine,
  terminal: terminalLine,
  journal: journalLine,
};

/** `auto` chooses by what the descriptor leads to. */
export function lineFormat(format: LogFormat, descriptor: number): LineFormat {
  return formats[format === "auto" ? formatFor(descriptor) : format];
}

function formatFor(descriptor: number): keyof typeof formats {
  if (isatty(descriptor)) return process.env["NO_COLOR"] ? "text" : "terminal";
  return isJournal(descriptor) ? "journal" : "json";
}

/** systemd names the device and inode of the stream to journald, which children inherit with another output. */
function isJournal(descriptor: number): boolean {
  const stream = process.env["JOURNAL_STREAM"];
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(descriptor);
  return stream === `${dev}:${ino}`;
}

const formatTextHead = getTextFormatter({
  timestamp: "rfc3339",
  level: "L",
  category: ".",
  format: ({ timestamp, level, category, message }) => `${timestamp} ${level} ${category}: ${message}`,
});

export function textLine(record: LogRecord): string {
  const head = formatTextHead(record).trimEnd().replace(unsafeCharacters, escapeInJson);
  return `${head}${fieldsOf(record)}\n`;
}

const formatTerminalHead = getAnsiColorFormatter({
  timestamp: "time",
  timestampStyle: "dim",
  level: "L",
  category: ".",
  categoryStyle: "dim",
  format: ({ timestamp, level, category, message }) => `${timestamp} ${level} ${category} ${message}`,
});

/** Without the date and the name of the program. */
export function terminalLine(record: LogRecord): string {
  const message = record.message.map((part) => String(part).replace(unsafeCharacters, escapeInJson));
  const head = formatTerminalHead({ ...record, message, category: record.category.slice(1) }).trimEnd();
  return `${head}${fieldsOf(record)}\n`;
}

const formatJson = getJsonLinesFormatter({ categorySeparator: ".", properties: "nest:fields" });

/** `{"@timestamp","level","message","logger","fields"}`. */
export function jsonLine(record: LogRecord): string {
  const fields = Object.entries(record.properties).map(([name, value]) => [name, jsonValue(value)]);
  const line = formatJson({ ...record, properties: Object.fromEntries(fields) }).trimEnd();
  return `${line.replace(unsafeCharacters, escapeInJson)}\n`;
}

function jsonValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean") return value;
  return value === undefined || value === null ? null : shorten(textOf(value));
}

/** As syslog numbers them. */
const priorities: Record<LogLevel, number> = { trace: 7, debug: 7, info: 6, warning: 4, error: 3, fatal: 2 };

/** journald reads the priority, and adds the time itself. */
export function journalLine(record: LogRecord): string {
  const head = `${record.category.join(".")}: ${record.message.join("")}`.replace(
    unsafeCharacters,
    escapeInJson,
  );
  return `<${priorities[record.level]}>${head}${fieldsOf(record)}\n`;
}

function fieldsOf({ properties }: LogRecord): string {
  const fields = Object.entries(properties).map(([name, value]) => ` ${name}=${formatValue(value)}`);
  return fields.join("");
}

/** Unquoted if that is unambiguous, otherwise as JSON. */
function formatValue(value: unknown): string {
  const text = shorten(textOf(value));
  if (/^[\w.:/@+-]+$/.test(text)) return text;
  return JSON.stringify(text).replace(unsafeCharacters, escapeInJson);
}

function textOf(value: unknown): string {
  if (value instanceof Error) return value.message;
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return value === undefined ? "null" : String(value);
}

function shorten(text: string): string {
  return text.length <= maxLogFieldChars ? text : `${text.slice(0, maxLogFieldChars)}...`;
}
