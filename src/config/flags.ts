/** The flags of the command line, and the help that lists them. */
import { type CAC, cac } from "cac";
import { parseArguments, type ParsedOptions } from "../base/command-line.ts";
import { declareVersion } from "../base/version.ts";
import { didYouMean } from "./did-you-mean.ts";
import { ConfigError, flagOf, type Name, optionNames, options, variableOf } from "./schema.ts";

/** The texts of the flags that were given. */
export type Flags = ReadonlyMap<Name, string>;

/** Undefined if --help or --version was asked for, and has been printed. Throws a `ConfigError`. */
export function readFlags(args: readonly string[]): Flags | undefined {
  const program = describeFlags();
  try {
    parseArguments(program, args.map(withoutNegation), unknownOption);
    if (program.options["help"] === true || program.options["version"] === true) return undefined;
    if (program.args.length > 0) throw new ConfigError(`unexpected argument "${program.args[0]}"`);
    program.runMatchedCommand();
    return flagsOf(optionNames, program.options);
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see --help`);
  }
}

/** Those of `names` that were given. Throws a `ConfigError` for one without its value. */
export function flagsOf(names: readonly Name[], parsed: ParsedOptions): Flags {
  return new Map(names.flatMap((name) => textOf(name, parsed[name])));
}

function unknownOption(flag: string): ConfigError {
  return new ConfigError(`unknown option "${flag}"${didYouMean(flag, optionNames.map(flagOf))}`);
}

export function describeFlags(): CAC {
  const program = cac("wavecache");
  const command = program.command("", "Start the server").usage("server [options]");
  for (const name of optionNames) {
    const { value, isSwitch, default: preset, help } = options[name];
    const placeholder = isSwitch ? `[${value}]` : `<${value}>`;
    command.option(`${flagOf(name)} ${placeholder}`, `${help} (default: ${preset || "none"})`);
  }
  command.action(() => {});
  program.help((sections) => [
    ...sections.filter(({ title }) => !isOfCommands(title)),
    environmentHelp(),
    commandsHelp,
  ]);
  declareVersion(program);
  return program;
}

/** cac lists commands, of which a server has one without a name. */
function isOfCommands(title: string | undefined): boolean {
  return title === "Commands" || title?.startsWith("For more info") === true;
}

const commandsHelp = {
  title: "Commands on the store, instead of a server (each has --help)",
  body: [
    "  server backup <dir>   back the store up, also while the server runs",
    "  server restore <dir>  restore a backup into an empty cache folder",
    "  server doctor         compare the catalog with the files, and mend them with --repair",
    "  server config ...     check and show the configuration, print an example and a JSON Schema",
    "  server top            show what a running server is doing now",
    "  server token ...      create, list and revoke tokens, also while the server runs",
  ].join("\n"),
};

function environmentHelp(): { title: string; body: string } {
  const lines = optionNames.map((name) => `  ${flagOf(name).padEnd(20)} ${variableOf(name)}`);
  return {
    title: "Environment (a flag overrides its environment variable, which overrides the configuration file)",
    body: lines.join("\n"),
  };
}

/** `--tls=false` for `--no-tls`: a switch has one spelling from here on. */
function withoutNegation(arg: string): string {
  const negated = optionNames.find((name) => arg === flagOf(name).replace("--", "--no-"));
  return negated !== undefined && options[negated].isSwitch ? `${flagOf(negated)}=false` : arg;
}

/** The last value of a flag that was given, as an entry. A switch without a value is on. */
function textOf(name: Name, parsed: unknown): [Name, string][] {
  const last: unknown = Array.isArray(parsed) ? parsed.at(-1) : parsed;
  if (last === undefined) return [];
  if (last === true && !options[name].isSwitch) throw new ConfigError(`${flagOf(name)} needs a value`);
  return [[name, String(last)]];
}
