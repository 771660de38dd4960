/** Runs the command that the arguments select, and reads its options. */
import type { CAC, Command } from "cac";
import { type ParsedOptions, parseArguments, propertyOf } from "../../base/command-line.ts";
import { usageError } from "./failures.ts";

export type Options = ParsedOptions;

/** Runs the command that the arguments select. Returns the result of its action; undefined for --help. */
export function runCommand(cli: CAC, args: readonly string[]): unknown {
  parseArguments(cli, args, (option) => usageError(`unknown option "${option}"`));
  return cli.runMatchedCommand();
}

/** The value of an option; undefined if the option is not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[propertyOf(name)];
  if (value === undefined || typeof value === "string") return value;
  if (Array.isArray(value)) throw usageError(`--${name} is given more than once`);
  throw usageError(`--${name} needs a value`);
}

/** Every value of an option that may be repeated. */
export function textOptions(options: Options, name: string): string[] {
  const value: unknown = options[propertyOf(name)];
  const values: unknown[] = value === undefined ? [] : [value].flat();
  return values.map((each) => {
    if (typeof each === "string") return each;
    throw usageError(`--${name} needs a value`);
  });
}

/** For options that have a default. */
export function requiredText(options: Options, name: string): string {
  const value = textOption(options, name);
  if (value === undefined) throw usageError(`--${name} needs a value`);
  return value;
}

export function flagOption(options: Options, name: string): boolean {
  const value = options[propertyOf(name)];
  return value === true || (Array.isArray(value) && value.includes(true));
}

/** Parses a whole number from `min` to `max` in decimal digits. */
export function countOption(options: Options, name: string, min: number, max: number): number {
  const text = requiredText(options, name);
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw usageError(`--${name} is not a whole number from ${min} to ${max}: "${text}"`);
}

export function choiceOption<T extends string>(
  options: Options,
  name: string,
  choices: readonly T[],
): T | undefined {
  const text = textOption(options, name);
  if (text === undefined) return undefined;
  const choice = choices.find((choice) => choice === text);
  if (choice !== undefined) return choice;
  throw usageError(`--${name} is "${text}"`, `use ${choices.join(" or ")}`);
}

/** Declares --json, which commands read with `flagOption`. */
export function jsonOption(command: Command): Command {
  return command.option("--json", "Print the result as JSON");
}
