/** `--seek`: where to start playing. */
import { type Options, textOption } from "../kit/arguments.ts";
import { usageError } from "../kit/failures.ts";
import { parseSeek } from "./player-kinds.ts";

/** In seconds; undefined without the option. */
export function seekOption(options: Options): number | undefined {
  const text = textOption(options, "seek");
  if (text === undefined) return undefined;
  const seconds = parseSeek(text);
  if (seconds === undefined) {
    throw usageError(`--seek is no time: "${text}"`, "give it like 90, 1:30 or 1:01:30");
  }
  return seconds;
}
