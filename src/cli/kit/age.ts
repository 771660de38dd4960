/** Ages as options of commands state them. */
import { type Options, textOption } from "./arguments.ts";
import { usageError } from "./failures.ts";

const msOfUnit: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 24 * 3_600_000 };

/** Parses `30d`, `12h`, `45m` or `90s` into milliseconds. */
export function ageOption(options: Options, name: string): number | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) return Number(count) * msOfUnit[unit]!;
  throw usageError(`--${name} is no age: "${text}"`, "give it like 30d, 12h, 45m or 90s");
}
