/** Times and ages as options of commands state them. */
import { type Options, textOption } from "./arguments.ts";
import { usageError } from "./failures.ts";

/** Parses ISO 8601, in UTC without a zone. Also accepts the format of the tables, for copy and paste. */
export function timeOption(options: Options, name: string): Date | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(UTC|Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const [, day = "", time = "00:00", zone = "Z"] = match ?? [];
  const date = new Date(`${day}T${time}${zone === "UTC" ? "Z" : zone}`);
  if (!Number.isNaN(date.getTime())) return date;
  throw usageError(`--${name} is no time: "${text}"`, "give it like 2025-01-31T09:05 or 2025-01-31");
}

const msOfUnit: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };

/** Parses `30d`, `12h`, `45m` or `90s` into milliseconds. */
export function ageOption(options: Options, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * msOfUnit[unit]!;
  throw usageError(`--${name} is no age: "${text}"`, "give it like 30d, 12h, 45m or 90s");
}
