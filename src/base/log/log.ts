/** Logging by LogTape: one line per event on standard output, with the fields behind the message. */
import { getLogger } from "@logtape/logtape";

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

/** The same log, whose lines all end with these fields. */
export function withFields(log: Log, common: Fields): Log {
  return {
    debug: (message, fields) => log.debug(message, { ...fields, ...common }),
    info: (message, fields) => log.info(message, { ...fields, ...common }),
    warn: (message, fields) => log.warn(message, { ...fields, ...common }),
    error: (message, fields) => log.error(message, { ...fields, ...common }),
  };
}
