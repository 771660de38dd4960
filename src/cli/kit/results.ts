/** The result of a command: lines for people, or with `--json` JSON for programs. */
import { flagOption, type Options } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";
import { safeJson } from "./text.ts";

export interface CommandResult {
  /** Fixed keys; programs rely on them. */
  json: object;
  /** Without untrusted control characters. */
  lines: readonly string[];
}

/** Prints to stdout, or to stderr if stdout is audio. */
export function printResult(
  options: Options,
  terminal: Pick<Terminal, "result">,
  { json, lines }: CommandResult,
): void {
  if (flagOption(options, "json")) terminal.result(safeJson(json));
  else for (const line of lines) terminal.result(line);
}
