/** Periods as options: `--from` and `--to`. */
import { commandPrefix } from "../../base/program.ts";
import { type Options, textOption } from "../kit/arguments.ts";
import { CliError, usageError } from "../kit/failures.ts";

/** Parses ISO 8601, in UTC without a zone. Also accepts the format of the table, for copy and paste. */
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

/** The period of a command that needs its start; it ends now if there is no `--to`. */
export function periodOption(options: Options, device: string) {
  const from = timeOption(options, "from");
  if (from === undefined)
    throw usageError("--from is missing", "give the start of the period, like --from 2025-01-31T10:00:05");
  return { device, from, to: timeOption(options, "to") ?? new Date() };
}

export function noAudioOf(device: string): CliError {
  const hint = `see when there is some with: ${commandPrefix} client recordings timeline ${device}`;
  return new CliError(`no audio of ${device} in this period`, hint);
}
