/**
 * Parses a command line with cac so that every argument stays the text that the user typed. On its own, cac's parser
 * (mri) converts numbers (`--output 007` becomes 7, an empty text 0), takes neither `-` nor `-1` as the value of an
 * option, gives `--really-do` the next argument as its value, and accepts options that nobody declared
 * (`--constructor`, `--port.x`). cac has no setting against any of it.
 */
import type { CAC, Command } from "cac";

/** Options by name, each a text, a list of texts (given more than once) or a boolean (given without a value). */
export type ParsedOptions = Readonly<Record<string, unknown>>;

/** Keeps mri from converting the text behind it. No argument of a process can contain this character. */
const mark = "\0";

/**
 * Sets the arguments, the options and the matched command of `cli`; prints the help or the version where asked to.
 * Throws what `unknownOption` makes of the first undeclared option, in the user's spelling.
 */
export function parseArguments(
  cli: CAC,
  args: readonly string[],
  unknownOption: (option: string) => Error,
): void {
  const end = args.indexOf("--");
  const before = end === -1 ? args : args.slice(0, end);
  const after = end === -1 ? [] : args.slice(end + 1);
  const odd = before.find((arg, at) => isOddOption(arg, before[at - 1]));
  if (odd !== undefined) throw unknownOption(splitOption(odd)[0]);
  cli.parse(["", "", ...before.map(marked)], { run: false });
  cli.args = [...cli.args.map(unmarked), ...after];
  cli.options = Object.fromEntries(Object.entries(cli.options).map(([name, value]) => [name, bare(value)]));
  const command = cli.matchedCommand;
  const unknown = command && before.find((arg) => hasUnknownOption(arg, cli, command));
  if (unknown !== undefined) throw unknownOption(splitOption(unknown)[0]);
}

/** "streamIdBase" of "stream-id-base": cac stores options under camel-case names. */
export function propertyOf(option: string): string {
  return option.replace(
    /([a-z])-([a-z])/g,
    (_, before: string, after: string) => before + after.toUpperCase(),
  );
}

/** Whether mri would take the argument for something that no option here is: `-1`, `--a.b`, or a lone `-`. */
function isOddOption(arg: string, before: string | undefined): boolean {
  if (!arg.startsWith("-")) return false;
  if (isDashedValue(arg) && before !== undefined && /^-[^=]*[A-Za-z][^=]*$/.test(before)) return false;
  return !/^(-[A-Za-z]+|--[A-Za-z][A-Za-z0-9-]*)(=|$)/.test(arg) || arg.startsWith("-no-");
}

/** `-` (standard input or output) and negative numbers are values, not options. */
function isDashedValue(arg: string): boolean {
  return /^-(\d.*)?$/s.test(arg);
}

function hasUnknownOption(arg: string, cli: CAC, command: Command): boolean {
  if (!arg.startsWith("-") || isDashedValue(arg)) return false;
  const declared = [...command.options, ...cli.globalCommand.options];
  return optionNames(arg).some((name) => !declared.some((option) => isNamed(option, name)));
}

/** `--no-play` is an option of its own, which sets `play` to false. */
function isNamed({ names, negated }: Command["options"][number], name: string): boolean {
  if (!name.startsWith("no-")) return !negated && names.includes(propertyOf(name));
  return negated === true && names.includes(propertyOf(name.slice("no-".length)));
}

/** "--sha" and "-s" name one option, "-vs" names two. */
function optionNames(arg: string): string[] {
  const [name] = splitOption(arg);
  return name.startsWith("--") ? [name.slice(2)] : Array.from(name.slice(1));
}

/** What mri gets for an argument: the name of an option as cac declares it, and its value marked as text. */
function marked(arg: string): string {
  if (!arg.startsWith("-") || isDashedValue(arg)) return markedText(arg);
  const [name, value] = splitOption(arg);
  // mri looks up `--really-do` as it stands, but cac tells it that `reallyDo` is the option without a value.
  const known = name.startsWith("--no-") ? name : propertyOf(name);
  return value === undefined ? known : `${known}=${markedText(value)}`;
}

function markedText(text: string): string {
  return text.startsWith("-") || !Number.isNaN(Number(text)) ? mark + text : text;
}

function splitOption(arg: string): [name: string, value: string | undefined] {
  const at = arg.indexOf("=");
  return at < 0 ? [arg, undefined] : [arg.slice(0, at), arg.slice(at + 1)];
}

function bare(value: unknown): unknown {
  return Array.isArray(value) ? value.map(unmarked) : unmarked(value);
}

function unmarked<T>(value: T): T | string {
  return typeof value === "string" && value.startsWith(mark) ? value.slice(mark.length) : value;
}
