/**
 * What the server can be told: flags, then `WAVECACHE_*` in the environment, then defaults. One frozen object comes
 * out, or a `ConfigError` with one line that says which value is wrong and what it should be.
 */
import { cac } from "cac";
import * as v from "valibot";
import { availableParallelism } from "node:os";
import { AddressList, privateNetworks } from "../base/address-list.ts";
import { type LogLevel, logLevels } from "../base/log.ts";
import { defaultMaxConnections } from "../base/limits/connections.ts";
import { defaultUdpRateMbps, maxUdpTotalMbps } from "../base/limits/songs.ts";
import {
  defaultIncompleteTtlSeconds,
  defaultMaxCacheBytes,
  defaultMaxStreamBytes,
} from "../base/limits/streams.ts";
import { GiB, KiB, MiB } from "../base/limits/units.ts";
import { isSongName } from "../base/song-name.ts";
import { version } from "../../package.json";

/** A port, or "off" for a door that stays shut. */
export type Port = number | "off";

/** Which nibble of ADPCM comes first; `auto` finds out for each stream. */
export type NibbleSetting = "auto" | "low" | "high";

export interface Config {
  host: string;
  port: number;
  path: string;
  cacheDir: string;
  recordingsDir: string;
  libraryDir: string;
  workers: number;
  logLevel: LogLevel;
  maxStreamBytes: number;
  maxCacheBytes: number;
  maxConnections: number;
  incompleteTtl: number;
  ingestPort: Port;
  rotateSeconds: number;
  syncSeconds: number;
  adpcmNibbles: NibbleSetting;
  fillGaps: boolean;
  udpPort: Port;
  udpRateMbps: number;
  udpAllow: AddressList;
  tlsPort: Port;
  tls: boolean;
  tlsCert: string | undefined;
  tlsKey: string | undefined;
  grpcPort: Port;
  grpcTls: boolean;
  leadMs: number;
  flash: boolean;
  sounds: ReadonlyMap<number, string>;
}

export class ConfigError extends Error {}

/** Writers and readers mostly wait; past a few of each the disk is the limit, not the processors. */
const maxDefaultWorkers = 8;
const maxWorkers = 64;

function whole(least: number, most: number) {
  const expected = `a whole number from ${least} to ${most}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d+$/, expected),
    v.transform(Number),
    v.minValue(least, expected),
    v.maxValue(most, expected),
  );
}

const text = v.pipe(v.string(), v.nonEmpty("a text that is not empty"));
const noneOrText = v.pipe(
  v.string(),
  v.transform((given) => (given === "" ? undefined : given)),
);
const port = v.union([v.literal("off"), whole(0, 65535)], "a port from 0 to 65535, or off");
const networks = v.pipe(
  v.string(),
  v.transform((given) => AddressList.parse(given)),
  v.custom<AddressList>(
    (list) => list !== undefined,
    "networks with commas between them, such as 10.0.0.0/8",
  ),
);
const units: Record<string, number> = { "": 1, KiB, MiB, GiB };
const size = v.pipe(
  v.string(),
  v.regex(/^\d+(KiB|MiB|GiB)?$/, "a number of bytes, also as 512MiB or 4GiB"),
  v.transform((given) => Number.parseInt(given, 10) * units[given.replace(/^\d+/, "")]!),
  v.minValue(1, "at least 1 byte"),
);

const yesOrNo = v.pipe(
  v.string(),
  v.regex(/^(?:true|1|yes|on|false|0|no|off|)$/i, "true or false"),
  v.transform((given) => /^(?:true|1|yes|on)$/i.test(given)),
);

const soundsExpected =
  "startup=NAME,1=NAME and so on up to 5, each once, with names of files below the library folder";

/** `startup=hello.wav,1=a/b.mp3`: names by mode, start-up being mode 0. */
const soundFiles = v.pipe(
  v.string(),
  v.transform((given) => given.split(",").filter(Boolean).map(parseSound)),
  v.check((parsed) => new Set(parsed.map((sound) => sound?.[0])).size === parsed.length, soundsExpected),
  v.check((parsed) => !parsed.includes(undefined), soundsExpected),
  v.transform((parsed) => new Map(parsed.filter((sound) => sound !== undefined))),
);

function parseSound(given: string): [mode: number, name: string] | undefined {
  const [, mode, name] = /^(startup|[0-5])=(.*)$/s.exec(given.trim()) ?? [];
  if (mode === undefined || name === undefined || !isSongName(name)) return undefined;
  return [mode === "startup" ? 0 : Number(mode), name];
}

interface Option<T> {
  flag: string;
  /** What stands behind the flag; undefined for a switch, which is given or not. */
  value: string | undefined;
  default: string;
  says: string;
  schema: v.GenericSchema<string, T>;
}

type Options = { [K in keyof Config]: Option<Config[K]> };

const options: Options = {
  host: { flag: "host", value: "address", default: "127.0.0.1", says: "address to listen on", schema: text },
  port: {
    flag: "port",
    value: "port",
    default: "8080",
    says: "HTTP and WebSocket port; 0 takes a free one",
    schema: whole(0, 65535),
  },
  path: {
    flag: "path",
    value: "path",
    default: "/audio",
    says: "path of the audio cache",
    schema: v.pipe(v.string(), v.regex(/^\/[A-Za-z0-9_./-]*[A-Za-z0-9_.-]$/, "a path such as /audio")),
  },
  cacheDir: { flag: "cache-dir", value: "dir", default: "cache", says: "folder of the cache", schema: text },
  recordingsDir: {
    flag: "recordings-dir",
    value: "dir",
    default: "data/received",
    says: "folder of recordings",
    schema: text,
  },
  libraryDir: {
    flag: "library-dir",
    value: "dir",
    default: "data/library",
    says: "folder of songs and sounds",
    schema: text,
  },
  workers: {
    flag: "workers",
    value: "n",
    default: String(Math.max(1, Math.min(maxDefaultWorkers, availableParallelism() - 1))),
    says: "writer threads, and as many reader threads",
    schema: whole(1, maxWorkers),
  },
  logLevel: {
    flag: "log-level",
    value: "level",
    default: "info",
    says: "least level that is logged: debug, info, warning, error",
    schema: v.picklist(logLevels, `one of ${logLevels.join(", ")}`),
  },
  maxStreamBytes: {
    flag: "max-stream-bytes",
    value: "size",
    default: `${defaultMaxStreamBytes / GiB}GiB`,
    says: "bytes of one stream",
    schema: size,
  },
  maxCacheBytes: {
    flag: "max-cache-bytes",
    value: "size",
    default: `${defaultMaxCacheBytes / GiB}GiB`,
    says: "bytes in the cache; when it is full, nothing is thrown away",
    schema: size,
  },
  maxConnections: {
    flag: "max-connections",
    value: "n",
    default: String(defaultMaxConnections),
    says: "WebSocket connections at once",
    schema: whole(1, 1_000_000),
  },
  incompleteTtl: {
    flag: "incomplete-ttl",
    value: "seconds",
    default: String(defaultIncompleteTtlSeconds),
    says: "how long an interrupted upload is kept",
    schema: whole(1, 10 * 365 * 24 * 3600),
  },
  ingestPort: {
    flag: "ingest-port",
    value: "port",
    default: "5096",
    says: "port of live ingest, which the main port serves too; off for none, 0 takes a free one",
    schema: port,
  },
  rotateSeconds: {
    flag: "rotate-seconds",
    value: "seconds",
    default: "10",
    says: "how long a recording goes on in one file",
    schema: whole(1, 24 * 3600),
  },
  syncSeconds: {
    flag: "sync-seconds",
    value: "seconds",
    default: "5",
    says: "how often recordings are forced to the disk",
    schema: whole(1, 3600),
  },
  adpcmNibbles: {
    flag: "adpcm-nibbles",
    value: "order",
    default: "auto",
    says: "which half of a byte of ADPCM comes first: low, high, or auto to find out for each stream",
    schema: v.picklist(["auto", "low", "high"], "auto, low or high"),
  },
  fillGaps: {
    flag: "fill-gaps",
    value: undefined,
    default: "false",
    says: "record silence for lost frames, so that time stays right",
    schema: yesOrNo,
  },
  udpPort: {
    flag: "udp-port",
    value: "port",
    default: "9998",
    says: "port of songs by name over UDP; off for none, 0 takes a free one",
    schema: port,
  },
  udpRateMbps: {
    flag: "udp-rate-mbps",
    value: "mbps",
    default: String(defaultUdpRateMbps),
    says: "megabits a second of one song over UDP; up to 10 times that where loss is noticed",
    schema: whole(1, maxUdpTotalMbps),
  },
  udpAllow: {
    flag: "udp-allow",
    value: "networks",
    default: privateNetworks,
    says: "who is answered over UDP",
    schema: networks,
  },
  tlsPort: {
    flag: "tls-port",
    value: "port",
    default: "9999",
    says: "port of songs by name over TLS; off for none, 0 takes a free one",
    schema: port,
  },
  tls: {
    flag: "tls",
    value: undefined,
    default: "false",
    says: "https and wss, not http and ws, on the main port and that of live ingest",
    schema: yesOrNo,
  },
  tlsCert: {
    flag: "tls-cert",
    value: "file",
    default: "",
    says: "certificate in PEM, with those that signed it; without one a self-signed one is made",
    schema: noneOrText,
  },
  tlsKey: {
    flag: "tls-key",
    value: "file",
    default: "",
    says: "private key of the certificate in PEM; both files are read again when they change",
    schema: noneOrText,
  },
  grpcPort: {
    flag: "grpc-port",
    value: "port",
    default: "50051",
    says: "gRPC port of devices; off for none, 0 takes a free one",
    schema: port,
  },
  grpcTls: {
    flag: "grpc-tls",
    value: undefined,
    default: "false",
    says: "TLS on the gRPC port, with the certificate of the other TLS ports",
    schema: yesOrNo,
  },
  leadMs: {
    flag: "lead-ms",
    value: "ms",
    default: "1000",
    says: "how far ahead of what is heard a device gets its sound",
    schema: whole(0, 10_000),
  },
  flash: {
    flag: "flash",
    value: undefined,
    default: "true",
    says: "the LEDs of a device flash when it connects; --no-flash if they are not to",
    schema: yesOrNo,
  },
  sounds: {
    flag: "sounds",
    value: "list",
    default: "",
    says: "files of sounds for devices, instead of startup.* and mode_1.* to mode_5.*: startup=a.wav,1=b.mp3",
    schema: soundFiles,
  },
};

const names = Object.keys(options) as (keyof Config)[];

/**
 * Reads flags (without the program's name) and environment. Undefined means that --help or --version was asked for
 * and has been printed. Throws a `ConfigError`.
 */
export function readConfig(
  args: string[],
  environment: Record<string, string | undefined>,
): Config | undefined {
  if (!checkFlags(args)) return undefined;
  const entries = names.map((name) => [name, readOption(name, args, environment)]);
  const config: Config = Object.freeze(Object.fromEntries(entries));
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined)) {
    const [given, missing] = config.tlsCert === undefined ? ["key", "cert"] : ["cert", "key"];
    throw new ConfigError(`--tls-${given} needs --tls-${missing} beside it`);
  }
  return config;
}

/** The environment twin of a flag: `--cache-dir` is `WAVECACHE_CACHE_DIR`. */
function environmentName(flag: string): string {
  return `WAVECACHE_${flag.replaceAll("-", "_").toUpperCase()}`;
}

/** Refuses what is no flag of ours. False if help or the version was asked for, and printed. */
function checkFlags(args: string[]): boolean {
  const program = cac("wavecache");
  const command = program.command("", "Start the server").usage("server [options]");
  for (const { flag, value, default: fallback, says } of Object.values(options)) {
    const option = value === undefined ? `--${flag}` : `--${flag} <${value}>`;
    command.option(option, `${says} (default: ${fallback || "none"})`);
  }
  command.action(() => {});
  program.help((sections) => [...sections, environmentHelp()]);
  program.version(version);
  try {
    const { args: extra, options: flags } = program.parse(["", "", ...joinValues(args)], { run: false });
    if (flags["help"] === true || flags["version"] === true) return false;
    if (extra.length > 0) throw new ConfigError(`unexpected argument "${extra[0]}"; see --help`);
    program.runMatchedCommand();
    return true;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see --help`);
  }
}

function environmentHelp() {
  const lines = Object.values(options).map(({ flag }) => `  --${flag.padEnd(18)} ${environmentName(flag)}`);
  return { title: "Environment (a flag goes before its twin)", body: lines.join("\n") };
}

/** `--port -1` as `--port=-1`, and a switch with its value: the parser would guess wrong where one ends. */
function joinValues(args: string[]): string[] {
  const joined: string[] = [];
  for (let at = 0; at < args.length; at += 1) {
    const next = args[at + 1];
    const option = Object.values(options).find(({ flag }) => args[at] === `--${flag}`);
    const takesNext = option?.value !== undefined && next !== undefined && !next.startsWith("--");
    if (takesNext) at += 1;
    if (takesNext) joined.push(`--${option.flag}=${next}`);
    else if (option !== undefined && option.value === undefined) joined.push(`--${option.flag}=true`);
    else joined.push(args[at]!);
  }
  return joined;
}

/** The text of a flag as it was given, the last one if there are several: the parser turns `007` into a number. */
function flagText(args: string[], { flag, value }: Option<unknown>): string | undefined {
  const isSwitch = value === undefined;
  const isGiven = (arg: string) =>
    arg === `--${flag}` || arg.startsWith(`--${flag}=`) || (isSwitch && arg === `--no-${flag}`);
  const at = args.findLastIndex(isGiven);
  if (at < 0) return undefined;
  if (args[at]!.startsWith(`--${flag}=`)) return args[at]!.slice(flag.length + 3);
  return isSwitch ? String(args[at] === `--${flag}`) : args[at + 1];
}

function readOption(
  name: keyof Config,
  args: string[],
  environment: Record<string, string | undefined>,
): unknown {
  const option = options[name];
  const variable = environmentName(option.flag);
  const given = flagText(args, option as Option<unknown>);
  const raw = given ?? environment[variable] ?? option.default;
  const result = v.safeParse(option.schema as v.GenericSchema<string, unknown>, raw);
  if (result.success) return result.output;
  const source = given !== undefined ? `--${option.flag}` : variable;
  throw new ConfigError(`${source} "${raw}": expected ${result.issues[0].message}`);
}
