/** Logging by LogTape: one line per event on standard output, with the fields behind the message. */
import { configureSync, getLogger, getTextFormatter, type LogRecord } from "@logtape/logtape";
import { maxLogFieldChars } from "../limits/log.ts";
import { LineWriter } from "./line-writer.ts";
import { escapeInJson, unsafeCharacters } from "./unsafe-characters.ts";

export type Fields = Record<string, unknown>;

/**
 * The interface of logging for the rest of the program. A message is fixed text; whatever comes from a peer, a file or
 * the system goes into fields, which are escaped.
 */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

export const logLevels = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

const standardOutput = 1;

/**
 * Logs events of `level` and above to standard output. Call it once, before the first event. The writer that it
 * returns drops lines if standard output cannot take them: losing the log must not end the server.
 */
export function configureLog(level: LogLevel): LineWriter {
  const writer = new LineWriter(standardOutput, describeLoss);
  changeLogLevel(level, writer);
  return writer;
}

/** From now on, events of `level` and above are logged, to the same writer. */
export function changeLogLevel(level: LogLevel, writer: LineWriter): void {
  configureSync({
    reset: true,
    sinks: { out: (record) => writer.write(formatLine(record)) },
    loggers: [
      { category: "wavecache", lowestLevel: level, sinks: ["out"] },
      { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
    ],
  });
}

/** The log of one part of the program. */
export function openLog(part: string): Log {
  const logger = getLogger(["wavecache", part]);
  return {
    debug: (message, fields) => logger.debug(message, fields),
    info: (message, fields) => logger.info(message, fields),
    warn: (message, fields) => logger.warn(message, fields),
    error: (message, fields) => logger.error(message, fields),
  };
}

function describeLoss(lines: number): string {
  return formatLine({
    category: ["wavecache", "log"],
    level: "warning",
    message: ["lines of the log were dropped"],
    rawMessage: "lines of the log were dropped",
    timestamp: Date.now(),
    properties: { lines },
  });
}

const formatHead = getTextFormatter({
  timestamp: "rfc3339",
  level: "L",
  category: ".",
  format: ({ timestamp, level, category, message }) => `${timestamp} ${level} ${category}: ${message}`,
});

/** One line, whatever the event holds: without further line breaks, and without anything that a terminal obeys. */
export function formatLine(record: LogRecord): string {
  const head = formatHead(record).trimEnd().replace(unsafeCharacters, escapeInJson);
  const fields = Object.entries(record.properties).map(([name, value]) => ` ${name}=${formatValue(value)}`);
  return `${head}${fields.join("")}\n`;
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
