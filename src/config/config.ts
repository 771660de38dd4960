/**
 * The configuration of the server: a flag overrides its `WAVECACHE_*` environment variable, which overrides the
 * default. The result is one frozen object, or a `ConfigError` that names the wrong value and what is expected.
 */
import * as v from "valibot";
import { readFlags } from "./flags.ts";
import { connectionsInMemory, machineMemoryBytes } from "./message-memory.ts";
import { type Config, ConfigError, flagOf, type Name, optionNames, options, variableOf } from "./schema.ts";

/**
 * Reads flags (without the program's name) and environment. Undefined if --help or --version was asked for, and has
 * been printed. Throws a `ConfigError`.
 */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  memoryBytes: number = machineMemoryBytes(),
): Config | undefined {
  const flags = readFlags(args);
  if (flags === undefined) return undefined;
  const entries = optionNames.map((name) => [name, readOption(name, flags.get(name), environment)]);
  const config: Config = Object.fromEntries(entries);
  refuseHalfCertificate(config);
  refuseTwoKeys(config);
  return Object.freeze({ ...config, maxConnections: connectionsInMemory(config, memoryBytes) });
}

function readOption(
  name: Name,
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): unknown {
  const raw = flag ?? environment[variableOf(name)] ?? options[name].default;
  const result = v.safeParse<v.GenericSchema<string, unknown>>(options[name].schema, raw);
  if (result.success) return result.output;
  const source = flag === undefined ? variableOf(name) : flagOf(name);
  throw new ConfigError(`${source} "${raw}": expected ${result.issues[0].message}`);
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
