/** The command line of `server token`: create, list and revoke. */
import { type CAC, cac } from "cac";
import { readFileSync } from "node:fs";
import { certificateSha256OfPem } from "../../access/certificate.ts";
import { GrantError, Grants } from "../../access/grants.ts";
import type { TokenSpec } from "../../access/tokens.ts";
import { parseArguments, type ParsedOptions } from "../../base/command-line.ts";
import { durationExpected, parseDuration } from "../../base/duration.ts";
import { maxNoteChars } from "../../base/limits/access.ts";
import { declareVersion, isAnswered } from "../../base/version.ts";
import { catalogOptions, readCatalog, readFolder } from "../../config/config.ts";
import { flagsOf } from "../../config/flags.ts";
import { ConfigError, type Environment, flagOf, options, variableOf } from "../../config/schema.ts";
import type { CatalogAddress } from "../../store/kept-catalog.ts";

interface Common {
  cacheDir: string;
  catalog: CatalogAddress | null;
  /** Print one JSON value. */
  json: boolean;
}

export type TokenCommand = Common &
  ({ name: "create"; spec: TokenSpec } | { name: "list" } | { name: "revoke"; id: string });

/** Whether the server's arguments ask for one of these commands. */
export function isTokenCommand(args: readonly string[]): boolean {
  return args[0] === "token";
}

/** `args` begin with `token`. Undefined if --help or --version was asked for, and has been printed. Throws a `ConfigError`. */
export function readTokenCommand(
  args: readonly string[],
  environment: Environment,
): TokenCommand | undefined {
  const program = describeToken();
  try {
    parseArguments(program, args.slice(1), (option) => new ConfigError(`unknown option "${option}"`));
    if (isAnswered(program)) return undefined;
    program.runMatchedCommand();
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see --help`);
  }
  return commandOf(program.matchedCommandName, program.args, program.options, environment);
}

export function describeToken(): CAC {
  const program = cac("wavecache server token");
  const create = program.command("create", "Create a token, and print it: it is shown only this once");
  create.option(
    "--grant <grant>",
    "What it allows, such as read,list:library/** or ingest:recordings/kitchen; several times",
  );
  create.option("--expires <duration>", `When it expires: ${durationExpected}; never without it`);
  create.option(
    "--certificate <file>",
    "A client certificate in PEM, which stands for the token instead of a text: for songs over TLS",
  );
  create.option("--note <text>", "What it is for");
  create.option("--limit <name=n>", `A limit of everything that uses it: ${limitNames.join(", ")}`);
  const list = program.command("list", "List the tokens, those that have ended too");
  const revoke = program.command("revoke <id>", "Revoke a token: what uses it ends at once");
  for (const command of [create, list, revoke]) {
    command.option("--json", "Print JSON");
    for (const name of ["cacheDir", ...catalogOptions, "config"] as const) {
      const { value, help } = options[name];
      command.option(`${flagOf(name)} <${value}>`, `${help} (${variableOf(name)})`);
    }
    command.action(() => {});
  }
  program.help();
  declareVersion(program);
  return program;
}

function commandOf(
  name: string | undefined,
  args: readonly string[],
  parsed: ParsedOptions,
  environment: Environment,
): TokenCommand {
  if (name === undefined) throw new ConfigError("expected create, list or revoke; see --help");
  if (args.length > (name === "revoke" ? 1 : 0))
    throw new ConfigError(`unexpected argument "${args.at(-1)}"`);
  const cacheDir = cacheDirOf(parsed, environment);
  const catalog = readCatalog(flagsOf([...catalogOptions, "config"], parsed), environment);
  const common = { cacheDir, catalog, json: parsed["json"] === true };
  if (name === "list") return { ...common, name };
  if (name === "revoke") return { ...common, name, id: args[0]! };
  return { ...common, name: "create", spec: specOf(parsed) };
}

function cacheDirOf(parsed: ParsedOptions, environment: Environment): string {
  return readFolder("cacheDir", flagsOf(["cacheDir", "config"], parsed), environment);
}

function specOf(parsed: ParsedOptions): TokenSpec {
  const grants = textsOf("grant", parsed);
  if (grants.length === 0) throw new ConfigError("a token needs a --grant; see --help");
  const note = textsOf("note", parsed).at(-1) ?? "";
  if (note.length > maxNoteChars) throw new ConfigError(`--note: at most ${maxNoteChars} characters`);
  return {
    grants: readGrants(grants.join(" ")),
    limits: Object.fromEntries(textsOf("limit", parsed).map(readLimit)),
    note,
    expiresAt: readExpiry(textsOf("expires", parsed).at(-1)),
    certificate: readCertificate(textsOf("certificate", parsed).at(-1)),
  };
}

/** The values of an option that may come several times. */
function textsOf(name: string, parsed: ParsedOptions): string[] {
  const value = parsed[name];
  const values: unknown[] = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return values.map((each) => {
    if (typeof each === "string") return each;
    throw new ConfigError(`--${name} needs a value`);
  });
}

function readGrants(text: string): Grants {
  try {
    return Grants.parse(text);
  } catch (error) {
    if (!(error instanceof GrantError)) throw error;
    throw new ConfigError(`--grant: ${error.message}`);
  }
}

function readCertificate(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return certificateSha256OfPem(readFileSync(file, "utf8"));
  } catch (error) {
    throw new ConfigError(`--certificate: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function readExpiry(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms === undefined) throw new ConfigError(`--expires "${text}": expected ${durationExpected}`);
  return Date.now() + ms;
}

const limitNames: readonly string[] = [
  "connections",
  "uploads",
  "bytesInPerSecond",
  "bytesOutPerSecond",
  "storedBytes",
];

function readLimit(text: string): [string, number] {
  const [, name = "", count = ""] = /^(\w+)=(\d{1,15})$/.exec(text) ?? [];
  if (limitNames.includes(name) && Number(count) > 0) return [name, Number(count)];
  throw new ConfigError(`--limit "${text}": expected one of ${limitNames.join(", ")}, = and a number`);
}
