/** The common frame of the bench programs: one unnamed command, an exit status, figures as JSON. */
import type { CAC } from "cac";
import { type Options, requiredText, runCommand } from "../../src/cli/kit/arguments.ts";
import { failureOf, usageError } from "../../src/cli/kit/failures.ts";
import { thisMachine } from "./machine.ts";

/** Runs a bench and exits: with the status that `run` returns, or with one line and a status for what it throws. */
export async function runBench<S>(
  read: (args: string[]) => S | undefined,
  run: (settings: S) => Promise<number>,
): Promise<never> {
  process.exit(await exitStatus(read, run));
}

async function exitStatus<S>(
  read: (args: string[]) => S | undefined,
  run: (settings: S) => Promise<number>,
): Promise<number> {
  try {
    const settings = read(process.argv.slice(2));
    return settings === undefined ? 0 : await run(settings);
  } catch (error) {
    const { line, exitCode } = failureOf(error);
    process.stderr.write(`${line}\n`);
    return exitCode;
  }
}

/** Parses the command line with the single command of `cli`; undefined for --help, which it has printed. */
export function readCommandLine<S>(
  cli: CAC,
  args: string[],
  settingsOf: (options: Options) => S,
): S | undefined {
  let settings: S | undefined;
  cli.commands[0]!.action((rest: string[], options: Options) => {
    if (rest.length > 0) throw usageError(`unexpected argument "${rest[0]}"`);
    settings = settingsOf(options);
  });
  // A list of one unnamed command is useless.
  cli.help((sections) => sections.filter(({ title = "" }) => !/^(Commands|For more info)/.test(title)));
  runCommand(cli, args);
  return settings;
}

/** Writes the figures of a run to the user's file. */
export async function writeReport(
  settings: { json: string | undefined },
  report: Record<string, unknown>,
): Promise<void> {
  const { json, ...settingsUsed } = settings;
  if (json === undefined) return;
  const whole = { machine: thisMachine(), settings: settingsUsed, ...report };
  await Bun.write(json, `${JSON.stringify(whole, undefined, 2)}\n`);
}

const maxNumber = 1_000_000_000;

/** A number above 0, such as 2 or 0.5. */
export function numberOption(options: Options, name: string, max = maxNumber): number {
  const text = requiredText(options, name);
  const value = /^\d{1,12}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= max) return value;
  throw usageError(`--${name} is not a number above 0, such as 2 or 0.5: "${text}"`);
}
