/**
 * The configuration of the server: a flag overrides its `WAVECACHE_*` environment variable, which overrides the
 * configuration file, which overrides the default. The result is one frozen object, or a `ConfigError` that names the
 * wrong value, where it comes from and what is expected.
 */
import * as v from "valibot";
import type { CatalogAddress } from "../store/kept-catalog.ts";
import { catalogAddress } from "./catalog.ts";
import { findFile } from "./file/find-file.ts";
import { type FileSetting, readFile } from "./file/read-file.ts";
import { type Flags, readFlags } from "./flags.ts";
import { connectionsInMemory, machineMemoryBytes } from "./message-memory.ts";
import {
  type Config,
  ConfigError,
  type Environment,
  flagOf,
  type Name,
  type Option,
  optionNames,
  options,
  variableOf,
} from "./schema.ts";

/** Where the value of an option comes from, as an error names it: `--port`, `WAVECACHE_PORT`, `wavecache.toml:3`. */
export interface Setting {
  value: unknown;
  /** What was written: text, or whatever a configuration file holds. */
  given: unknown;
  /** Undefined for a default. */
  source: string | undefined;
}

export interface Settings {
  config: Config;
  all: ReadonlyMap<Name, Setting>;
  /** The path of the configuration file; undefined without one. */
  file: string | undefined;
}

/** Undefined if --help or --version was asked for, and has been printed. Throws a `ConfigError`. */
export function readConfig(
  args: readonly string[],
  environment: Environment,
  memoryBytes: number = machineMemoryBytes(),
): Config | undefined {
  const flags = readFlags(args);
  return flags && readSettings(flags, environment, memoryBytes).config;
}

/** Reads the environment and the configuration file, too. Throws a `ConfigError`. */
export function readSettings(
  flags: Flags,
  environment: Environment,
  memoryBytes: number = machineMemoryBytes(),
): Settings {
  const sources = openSources(flags, environment);
  const all = new Map(optionNames.map((name) => [name, readOption(name, sources)]));
  const config = Object.fromEntries(Array.from(all, ([name, { value }]) => [name, value])) as Config;
  refuseHalfCertificate(config);
  refuseTwoKeys(config);
  const maxConnections = connectionsInMemory(config, memoryBytes);
  return { config: Object.freeze({ ...config, maxConnections }), all, file: sources.path };
}

/** The folder that an option names, for commands that need no further option. Throws a `ConfigError`. */
export function readFolder(
  name: "cacheDir" | "recordingsDir",
  flags: Flags,
  environment: Environment,
): string {
  const { value } = readOption(name, openSources(flags, environment));
  return v.parse(options[name].schema, value);
}

/** The options that `readCatalog` reads. */
export const catalogOptions = ["catalog", "catalogPasswordFile"] as const;

/** The catalog of a cache folder, for commands that need no further option. Throws a `ConfigError`. */
export function readCatalog(flags: Flags, environment: Environment): CatalogAddress | null {
  const sources = openSources(flags, environment);
  const [url, passwordFile] = catalogOptions.map(
    (name) => readOption(name, sources).value as string | undefined,
  );
  return catalogAddress(url, passwordFile);
}

interface Sources {
  flags: Flags;
  environment: Environment;
  file: ReadonlyMap<Name, FileSetting>;
  path: string | undefined;
}

function openSources(flags: Flags, environment: Environment): Sources {
  const given = (flags.get("config") ?? environment[variableOf("config")]) || undefined;
  const found = findFile(given, environment);
  const file = found === undefined ? new Map() : readFile(found.path, found.text);
  return { flags, environment, file, path: found?.path };
}

function readOption(name: Name, { flags, environment, file, path }: Sources): Setting {
  const [flag, variable] = [flags.get(name), environment[variableOf(name)]];
  if (flag !== undefined) return parseText(name, flag, flagOf(name));
  if (variable !== undefined) return parseText(name, variable, variableOf(name));
  const found = file.get(name);
  if (found !== undefined) return { value: found.value, given: found.given, source: `${path}:${found.line}` };
  return { ...parseText(name, options[name].default, "the default"), source: undefined };
}

function parseText(name: Name, given: string, source: string): Setting {
  const { schema }: Option = options[name];
  const result = v.safeParse(schema, given);
  if (result.success) return { value: result.output, given, source };
  throw new ConfigError(`${source} "${given}": expected ${result.issues[0].message}`);
}

function refuseHalfCertificate({ tlsCert, tlsKey }: Config): void {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return;
  const [given, missing] = tlsCert === undefined ? ["key", "cert"] : ["cert", "key"];
  throw new ConfigError(`--tls-${given} needs --tls-${missing} too`);
}

function refuseTwoKeys({ jwtSecretFile, jwtJwks }: Config): void {
  if (jwtSecretFile === undefined || jwtJwks === undefined) return;
  throw new ConfigError("--jwt-secret-file and --jwt-jwks exclude each other");
}
