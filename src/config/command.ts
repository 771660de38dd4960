/** `server config`: checks the configuration, shows it, or prints what helps to write one. */
import { ConfigError, type Environment } from "./schema.ts";
import { readSettings } from "./config.ts";
import { FileError } from "./file/read-file.ts";
import { type Flags, readFlags } from "./flags.ts";
import { exampleFile } from "./print/example.ts";
import { fileJsonSchema } from "./print/json-schema.ts";
import { showSettings } from "./print/show.ts";

/** What each does, for help, completions and the manual page. */
export const configVerbs = {
  check: "say everything that is wrong with the configuration, and end with 2",
  show: "print the values in force and where each comes from, without secrets",
  example: "print a configuration file with every key, its default and its meaning",
  schema: "print a JSON Schema of the configuration file, for editors",
} as const;
const verbs = Object.keys(configVerbs) as (keyof typeof configVerbs)[];

export const configUsage = `Usage: server config <command> [options of the server]

${Object.entries(configVerbs)
  .map(([verb, help]) => `  ${verb.padEnd(9)}${help}`)
  .join("\n")}`;

export interface CommandOutcome {
  out: string;
  error: string;
  exitCode: number;
}

/** Whether the server's arguments ask for one of these commands. */
export function isConfigCommand(args: readonly string[]): boolean {
  return args[0] === "config";
}

/** `args` begin with `config`. Throws a `ConfigError` for a command line that makes no sense. */
export function runConfigCommand(args: readonly string[], environment: Environment): CommandOutcome {
  const verb = verbs.find((each) => each === args[1]);
  if (args.includes("--help")) return printed(configUsage);
  if (verb === undefined) throw new ConfigError(`config: expected one of ${verbs.join(", ")}`);
  if (verb === "example") return printed(exampleFile().trimEnd());
  if (verb === "schema") return printed(JSON.stringify(fileJsonSchema(), undefined, 2));
  return readAndPrint(verb, args.slice(2), environment);
}

function readAndPrint(
  verb: "check" | "show",
  args: readonly string[],
  environment: Environment,
): CommandOutcome {
  try {
    const settings = readSettings(readFlags(args) ?? new Map(), environment);
    if (verb === "show") return printed(showSettings(settings).trimEnd());
    return printed(`the configuration is right (file: ${settings.file ?? "none"})`);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return { out: "", error: `${error.mistakes.join("\n")}\n`, exitCode: 2 };
  }
}

function printed(text: string): CommandOutcome {
  return { out: `${text}\n`, error: "", exitCode: 0 };
}

/** The values in force without secrets, or as comments what is wrong with the configuration. Never throws for that. */
export function describeSettings(flags: Flags, environment: Environment): string {
  try {
    return showSettings(readSettings(flags, environment));
  } catch (error) {
    if (error instanceof FileError) return error.mistakes.map((mistake) => `# ${mistake}\n`).join("");
    if (error instanceof ConfigError) return `# ${error.message}\n`;
    throw error;
  }
}
