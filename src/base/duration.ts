/** Durations as people write them: `90d`, `12h`, `30m`, `45s`. */

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** What a duration must look like, for messages. */
export const durationExpected = "a number and s, m, h or d, such as 90d";

/** In milliseconds; undefined if the text is no duration, or nothing. */
export function parseDuration(text: string): number | undefined {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  return Number(count) > 0 ? Number(count) * unitMs[unit]! : undefined;
}
