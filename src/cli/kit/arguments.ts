/**
 * The way of the arguments through cac, whose parser (mri) turns whatever looks like a number into one: `--output 007`
 * would become 7, and an empty string 0. Such texts pass it under a mark and get it taken off afterwards. Options that
 * nobody has declared are refused here, in the user's spelling: cac passes over some (`--constructor`).
 */
import type { CAC, Command } from "cac";
import { usageError } from "./failures.ts";

/** No argument of a process can hold this character. */
const mark = "\0";

/** What a command gets: options by name, each a text, a list of texts (given twice) or a boolean. */
export type Options = Readonly<Record<string, unknown>>;

/** Runs the command that the arguments name and returns what its action returns; undefined for --help. */
export function runCommand(cli: CAC, args: readonly string[]): unknown {
  const end = args.indexOf("--");
  const before = end === -1 ? args : args.slice(0, end);
  const after = end === -1 ? [] : args.slice(end + 1);
  before.forEach((arg, at) => refuseOddOption(arg, before[at - 1]));
  cli.parse(["bun", "client", ...before.map(marked)], { run: false });
  cli.args = [...cli.args.map(unmarked), ...after];
  cli.options = Object.fromEntries(Object.entries(cli.options).map(([name, value]) => [name, bare(value)]));
  const command = cli.matchedCommand;
  if (command !== undefined) refuseUnknownOptions(cli, command, before);
  return cli.runMatchedCommand();
}

/** `-1`, `--a.b` and a `-` that is no option's value mean something to mri, but nothing here. */
function refuseOddOption(arg: string, before: string | undefined): void {
  if (!arg.startsWith("-") || (arg === "-" && before !== undefined && /^-[^=]+$/.test(before))) return;
  const plain = /^(-[A-Za-z]+|--[A-Za-z][A-Za-z0-9-]*)(=|$)/.test(arg);
  if (!plain || arg.startsWith("-no-")) throw unknownOption(arg);
}

function refuseUnknownOptions(cli: CAC, command: Command, args: readonly string[]): void {
  for (const arg of args) {
    if (!arg.startsWith("-") || arg === "-") continue;
    for (const name of optionNames(arg)) {
      const known = [...command.options, ...cli.globalCommand.options];
      if (!known.some((option) => isNamed(option, name))) throw unknownOption(arg);
    }
  }
}

/** `--no-play` is an option of its own, which says that `play` is false. */
function isNamed({ names, negated }: Command["options"][number], name: string): boolean {
  if (!name.startsWith("no-")) return !negated && names.includes(propertyOf(name));
  return negated === true && names.includes(propertyOf(name.slice("no-".length)));
}

/** "--sha" and "-s" name one option, "-vs" names two. */
function optionNames(arg: string): string[] {
  const name = arg.replace(/=.*$/s, "");
  return name.startsWith("--") ? [name.slice(2)] : Array.from(name.slice(1));
}

function unknownOption(arg: string): Error {
  return usageError(`unknown option "${arg.replace(/=.*$/s, "")}"`);
}

/** "streamIdBase" of "stream-id-base": cac keeps options under names like that. */
function propertyOf(name: string): string {
  return name.replace(/([a-z])-([a-z])/g, (_, before: string, after: string) => before + after.toUpperCase());
}

function marked(arg: string): string {
  // mri never takes a dash for the value of an option.
  if (arg === "-") return mark + arg;
  const value = arg.startsWith("-") ? arg.indexOf("=") + 1 : 0;
  if (arg.startsWith("-") && value === 0) return arg;
  const text = arg.slice(value);
  return Number.isNaN(Number(text)) ? arg : arg.slice(0, value) + mark + text;
}

function bare(value: unknown): unknown {
  return Array.isArray(value) ? value.map(unmarked) : unmarked(value);
}

function unmarked<T>(value: T): T | string {
  return typeof value === "string" && value.startsWith(mark) ? value.slice(mark.length) : value;
}

/** The option's text; undefined where it was not given. */
export function textOption(options: Options, name: string): string | undefined {
  const value = options[propertyOf(name)];
  if (value === undefined || typeof value === "string") return value;
  if (Array.isArray(value)) throw usageError(`--${name} is given more than once`);
  throw usageError(`--${name} needs a value`);
}

/** An option that has a default. */
export function requiredText(options: Options, name: string): string {
  const value = textOption(options, name);
  if (value === undefined) throw usageError(`--${name} needs a value`);
  return value;
}

export function flagOption(options: Options, name: string): boolean {
  const value = options[propertyOf(name)];
  return value === true || (Array.isArray(value) && value.includes(true));
}

/** A whole number from `min` to `max`, in decimal digits. */
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
