/** Logging by LogTape: one line per event on standard output, with the fields behind the message. */
import { configureSync, getLogger } from "@logtape/logtape";
import { type LineFormat, type LogFormat, lineFormat } from "./line-format.ts";
import type { LogLevels } from "./log-levels.ts";
import { LineWriter } from "./line-writer.ts";

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

const standardOutput = 1;

/**
 * Logs events of these levels to standard output. Call it once, before the first event. The writer that it
 * returns drops lines if standard output cannot take them: losing the log must not end the server.
 */
export function configureLog(levels: LogLevels, format: LogFormat): LineWriter {
  const formatLine = lineFormat(format, standardOutput);
  const writer = new LineWriter(standardOutput, (lines) => describeLoss(lines, formatLine));
  changeLogLevels(levels, format, writer);
  return writer;
}

/** From now on, events of these levels are logged, to the same writer. */
export function changeLogLevels(
  { general, byCategory }: LogLevels,
  format: LogFormat,
  writer: LineWriter,
): void {
  const formatLine = lineFormat(format, standardOutput);
  const sinks = ["out" as const];
  // Without the override the sinks above would write the same event a second time.
  const own = byCategory.map(({ category, level }) => ({
    category: category.split("."),
    lowestLevel: level,
    parentSinks: "override" as const,
    sinks,
  }));
  configureSync({
    reset: true,
    sinks: { out: (record) => writer.write(formatLine(record)) },
    loggers: [
      { category: "wavecache", lowestLevel: general, sinks },
      ...own,
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

function describeLoss(lines: number, formatLine: LineFormat): string {
  return formatLine({
    category: ["wavecache", "log"],
    level: "warning",
    message: ["lines of the log were dropped"],
    rawMessage: "lines of the log were dropped",
    timestamp: Date.now(),
    properties: { lines },
  });
}
