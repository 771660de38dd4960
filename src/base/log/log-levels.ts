/** Which events are logged: those of a general level and above, and of some parts of the program those of another level. */

export const logLevels = ["debug", "info", "warning", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LogLevels {
  general: LogLevel;
  /** A category is written as in the log: `wavecache.store`. */
  byCategory: readonly { category: string; level: LogLevel }[];
}

/** Reads `info`, or `info,wavecache.store=debug`. Undefined if the text is none of these. */
export function parseLogLevels(text: string): LogLevels | undefined {
  let general: LogLevel | undefined;
  const byCategory = new Map<string, LogLevel>();
  for (const part of text.split(",").map((each) => each.trim())) {
    const [name, level, ...rest] = part.split("=");
    if (rest.length > 0) return undefined;
    if (level === undefined && isLevel(name) && general === undefined) general = name;
    else if (isLevel(level) && isCategory(name) && !byCategory.has(name)) byCategory.set(name, level);
    else return undefined;
  }
  return {
    general: general ?? "info",
    byCategory: Array.from(byCategory, ([category, level]) => ({ category, level })),
  };
}

function isLevel(text: string | undefined): text is LogLevel {
  return logLevels.some((level) => level === text);
}

/** A part, not the whole program: that is the general level. */
function isCategory(text: string | undefined): text is string {
  return text !== undefined && /^wavecache\.[a-z][a-z0-9-]*$/.test(text);
}
