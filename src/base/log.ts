/** Logging by LogTape: one line per event on standard output, with the fields behind the message. */
import { configureSync, getLogger, getTextFormatter, type LogRecord } from "@logtape/logtape";

export type Fields = Record<string, unknown>;

/** The interface of logging for the rest of the program. */
export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
}

export const logLevels = ["debug", "info", "warning", "error"] as const;
type LogLevel = (typeof logLevels)[number];

/** Logs events of `level` and above to standard output. Call it once, before the first event. */
export function configureLog(level: LogLevel): void {
  configureSync({
    reset: true,
    sinks: { out: (record) => void process.stdout.write(formatLine(record)) },
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

const formatHead = getTextFormatter({
  timestamp: "rfc3339",
  level: "L",
  category: ".",
  format: ({ timestamp, level, category, message }) => `${timestamp} ${level} ${category}: ${message}`,
});

function formatLine(record: LogRecord): string {
  const fields = Object.entries(record.properties).map(([name, value]) => ` ${name}=${formatValue(value)}`);
  return `${formatHead(record).trimEnd()}${fields.join("")}\n`;
}

/** Unquoted if that is unambiguous, otherwise as JSON: text from a peer can neither end a line nor control a terminal. */
function formatValue(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const text =
    value instanceof Error ? value.message : typeof value === "string" ? value : JSON.stringify(value);
  return /^[\w.:/@+-]+$/.test(text ?? "") ? text : JSON.stringify(text ?? null);
}
