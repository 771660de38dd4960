/** The options of the server: how each is written, what it means, its default, and which values it takes. */
import * as v from "valibot";
import { availableParallelism } from "node:os";
import { loopbackNetworks } from "../base/address-list.ts";
import {
  defaultDrainSeconds,
  defaultMaxConnections,
  defaultMaxConnectionsPerAddress,
  defaultMaxMessageBytes,
  highestMaxMessageBytes,
  maxDrainSeconds,
} from "../base/limits/connections.ts";
import { defaultMaxEvents } from "../base/limits/events.ts";
import { defaultMaxSongBytes } from "../base/limits/library.ts";
import { defaultUdpRateMbps, maxUdpTotalMbps } from "../base/limits/songs.ts";
import {
  defaultIncompleteTtlSeconds,
  defaultMaxCacheBytes,
  defaultMaxStreamBytes,
  defaultMaxStreams,
  defaultMaxUnfinishedStreams,
  defaultScrubDays,
} from "../base/limits/streams.ts";
import { GiB, MiB } from "../base/limits/units.ts";
import { logFormats } from "../base/log/line-format.ts";
import { archiveEndpoint, archiveUrl } from "./archive.ts";
import { eventTypes, hooks, hookTables } from "./hooks.ts";
import { catalogUrl } from "./catalog.ts";
import { mqttPrefix, mqttUrl } from "./mqtt.ts";
import { natsPrefix, natsUrls } from "./nats.ts";
import { collectorUrl, ratio } from "./tracing.ts";
import { policies, policyTables } from "./policies.ts";
import {
  command,
  days,
  decibels,
  hostNames,
  logLevelsText,
  kept,
  listenAddresses,
  networks,
  optionalGrants,
  optionalSize,
  optionalNetworks,
  optionalDescriptor,
  optionalText,
  optionalUrlPath,
  origins,
  port,
  size,
  sizeBetween,
  soundFiles,
  soundFileTable,
  soundThresholds,
  soundThresholdTables,
  text,
  trueOrFalse,
  urlPath,
  wholeNumber,
  wholeNumberOrAuto,
} from "./values.ts";

/** A value that is wrong, or a command line that makes no sense; the message is one line for the user. */
export class ConfigError extends Error {}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Workers mostly wait for the disk: with more than a few of them, the disk is the limit. */
const maxDefaultWorkers = 8;
const maxWorkers = 64;
const defaultWorkers = Math.max(1, Math.min(maxDefaultWorkers, availableParallelism() - 1));

export interface Option<S extends Schema = Schema> {
  /** The placeholder of the value in the help. */
  value: string;
  /** A switch may be given without a value, or as `--no-...`. */
  isSwitch: boolean;
  default: string;
  help: string;
  /** Of the text of a flag or variable, and of what else a configuration file may hold instead. */
  schema: S;
  /** The value as one or several tables of a configuration file. */
  tables?: v.GenericSchema<unknown, v.InferOutput<S>> | undefined;
}

type Schema = v.GenericSchema;

function option<S extends Schema>(
  value: string,
  preset: string,
  schema: S,
  help: string,
  tables?: Option<S>["tables"],
): Option<S> {
  return { value, isSwitch: false, default: preset, help, schema, tables };
}

function toggle(preset: "true" | "false", help: string): Option<typeof trueOrFalse> {
  return { value: "true|false", isSwitch: true, default: preset, help, schema: trueOrFalse };
}

// An option takes two lines here, whatever the formatter would make of it.
// prettier-ignore
const server = {
  host: option("address", "127.0.0.1", text,
    "address to listen on"),
  port: option("port", "8080", wholeNumber(0, 65_535),
    "HTTP and WebSocket port; 0 picks a free one"),
  listen: option("addresses", "", listenAddresses,
    "further addresses of the main port: HOST:PORT, [IPV6]:PORT, or the path of a Unix socket; separated by commas"),
  path: option("path", "/audio", urlPath,
    "path of the audio cache"),
  workers: option("n", String(defaultWorkers), wholeNumber(1, maxWorkers),
    "number of writer threads, and of reader threads"),
  logLevel: option("levels", "info", logLevelsText,
    "lowest level that is logged: debug, info, warning, error; also by part, as info,wavecache.store=debug"),
  logFormat: option("format", "auto", v.picklist(logFormats, `one of ${logFormats.join(", ")}`),
    "text, json, terminal (short, with colors), journal (for journald), or auto: by where the log goes"),
  drainSeconds: option("n", String(defaultDrainSeconds), wholeNumber(0, maxDrainSeconds),
    "at a shutdown, uploads in progress get this long to end by themselves; the server refuses new ones meanwhile"),
  maxConnections: option("n", String(defaultMaxConnections), wholeNumber(1, 1_000_000),
    "limit of open connections on all TCP ports; the oldest that is silent makes room for a new one"),
  maxConnectionsPerAddress: option("n", "auto", wholeNumberOrAuto(1, 1_000_000),
    `limit of open connections of one address; auto: ${defaultMaxConnectionsPerAddress}, and none for loopback`),
  maxMessageBytes: option("size", `${defaultMaxMessageBytes / MiB}MiB`,
    sizeBetween(defaultMaxMessageBytes, highestMaxMessageBytes),
    "limit of the bytes of one message to the audio cache"),
  basePath: option("path", "", optionalUrlPath,
    "path of this server behind a proxy, such as /wavecache, which the addresses in its page begin with"),
  trustProxy: option("networks", "", optionalNetworks,
    "networks of reverse proxies whose X-Forwarded-For says where a client is, such as 127.0.0.0/8; without it no proxy's"),
  allowHost: option("names", "", hostNames,
    "host names that web pages may use for this server, also as *.example.com, besides its addresses and localhost"),
  allowOrigin: option("origins", "", origins,
    "origins of other servers whose web pages may use this one, such as https://music.example"),
};

// prettier-ignore
const access = {
  open: toggle("false",
    "let everybody who reaches the server do everything; needed beyond loopback without any token or key"),
  anonymous: option("grants", "", optionalGrants,
    "what peers without a credential may do on a closed server, such as read,list:library/**@10.0.0.0/8"),
  jwtSecretFile: option("file", "", optionalText,
    "file with the secret of JWTs (HS256), whose claim wavecache has the grants"),
  jwtJwks: option("url|file", "", optionalText,
    "key set (JWKS) of JWTs, instead of a secret"),
  jwtIssuer: option("text", "", optionalText,
    "the only issuer (iss) whose JWTs count"),
  jwtAudience: option("text", "", optionalText,
    "the audience (aud) that a JWT must have"),
  linkKeyFile: option("file", "", optionalText,
    "keys of shared links, one a line in base64url: the first signs, all verify; default: made in the cache folder, or shared in the catalog with --catalog"),
};

// prettier-ignore
const cache = {
  cacheDir: option("dir", "cache", text,
    "folder of the cache"),
  maxStreamBytes: option("size", `${defaultMaxStreamBytes / GiB}GiB`, size,
    "limit of the bytes of one stream"),
  maxCacheBytes: option("size", `${defaultMaxCacheBytes / GiB}GiB`, size,
    "limit of the bytes in the cache; a full cache refuses uploads, unless --keep-streams lets it evict"),
  maxStreams: option("n", String(defaultMaxStreams), wholeNumber(1, 1_000_000_000),
    "limit of the number of streams; each counts as 4KiB of the cache at least"),
  maxUnfinishedStreams: option("n", String(defaultMaxUnfinishedStreams), wholeNumber(1, 1_000_000_000),
    "limit of the number of uploads that are in progress or interrupted"),
  incompleteTtl: option("seconds", String(defaultIncompleteTtlSeconds), wholeNumber(1, 10 * 365 * 24 * 3600),
    "how long an interrupted upload can be resumed, in time that the server runs"),
  keepOrphans: toggle("false",
    "keep files of the cache that belong to no known stream in lost+found forever, instead of 30 days"),
  scrubDays: option("days", String(defaultScrubDays), days,
    "verify all audio of the cache once in this time, in the background; off for never"),
};

// prettier-ignore
const retention = {
  keepStreams: option("kept", "", kept,
    "how many bytes of streams are kept, for how long, or both: 50GiB, 30d or 50GiB,30d; the least recently read go first"),
  keepRecordings: option("kept", "", kept,
    "how many bytes of recordings are kept, for how long, or both; the oldest go first"),
  minFree: option("size", "", optionalSize,
    "free space on the disks; with less the least recently read streams go, and recordings if --keep-recordings is given"),
  policy: option("list", "", policies,
    "further retention policies, separated by semicolons: PATTERN MODE KEPT, such as \"streams/radio-* evict 50GiB,30d\"",
    policyTables),
};

// prettier-ignore
const archive = {
  archive: option("url", "", archiveUrl,
    "S3 bucket that gets all finished audio, as s3://bucket/prefix; the cache folder is then a cache of it"),
  archiveEndpoint: option("url", "", archiveEndpoint,
    "address of the object store, such as https://minio.example:9000; without it AWS"),
  archiveRegion: option("name", "us-east-1", text,
    "region of the bucket"),
  archiveCredentialsFile: option("file", "", optionalText,
    "file with AWS_ACCESS_KEY_ID=... and AWS_SECRET_ACCESS_KEY=...; without it these environment variables"),
  archiveLocalBytes: option("size", "", optionalSize,
    "local bytes of cache and recordings at which audio that the archive has begins to go, least recently used first; default: 9/10 of the cache, without recordings"),
  acknowledge: option("when", "local", v.picklist(["local", "archived"], "local or archived"),
    "when the end of an upload is acknowledged: once it is durable here, or once the archive has it, too"),
};

// prettier-ignore
const recordings = {
  ingestPort: option("port", "5096", port,
    "extra port of live ingest, which the main port serves too; off for none, 0 picks a free one"),
  recordingsDir: option("dir", "data/received", text,
    "folder of recordings"),
  rotateSeconds: option("seconds", "10", wholeNumber(1, 24 * 3600),
    "duration after which a recording continues in a new file"),
  compact: option("how", "off", v.picklist(["off", "hourly"], "off or hourly"),
    "join the segments of each hour of a stream to one pair of files: off or hourly"),
  keepPackets: toggle("true",
    "keep the frames as received in joined recordings; otherwise their .bin is empty"),
  syncSeconds: option("seconds", "5", wholeNumber(1, 3600),
    "how often recordings are synced to the disk"),
  adpcmNibbles: option("order", "auto", v.picklist(["auto", "low", "high"], "auto, low or high"),
    "nibble of an ADPCM byte that comes first: low, high, or auto to detect it per stream"),
  fillGaps: toggle("false",
    "record silence in place of lost frames, which keeps the timing right"),

  silenceDbfs: option("dbfs", "-50", decibels,
    "RMS in dBFS at or above which a device sounds"),
  silenceSeconds: option("seconds", "2", wholeNumber(1, 3600),
    "time without sound after which a device is silent"),
  silenceFor: option("list", "", soundThresholds,
    "both for some devices: kitchen=-40/5,garage=-60/2",
    soundThresholdTables),
};

// prettier-ignore
const songs = {
  libraryDir: option("dir", "data/library", text,
    "folder of songs and sounds"),
  maxSongBytes: option("size", `${defaultMaxSongBytes / GiB}GiB`, size,
    "limit of the bytes of one song that is uploaded"),
  udpPort: option("port", "9998", port,
    "port of songs over UDP; off for none, 0 picks a free one"),
  udpRateMbps: option("mbps", String(defaultUdpRateMbps), wholeNumber(1, maxUdpTotalMbps),
    "megabits per second of one song over UDP; reliable UDP sends up to 10 times as fast"),
  udpAllow: option("networks", loopbackNetworks, networks,
    "networks that get whole songs over plain UDP, where addresses can be forged"),
  tlsPort: option("port", "9999", port,
    "port of songs over TLS; off for none, 0 picks a free one"),
};

// prettier-ignore
const tls = {
  tls: toggle("false",
    "https and wss instead of http and ws, on the main port and on the one of live ingest"),
  tlsCert: option("file", "", optionalText,
    "certificate chain in PEM; without one the server makes a self-signed certificate"),
  tlsKey: option("file", "", optionalText,
    "private key of the certificate in PEM; both files are read again when they change"),
};

// prettier-ignore
const devices = {
  grpcPort: option("port", "50051", port,
    "gRPC port of devices; off for none, 0 picks a free one"),
  grpcTls: toggle("false",
    "TLS on the gRPC port, with the same certificate as the other ports"),
  leadMs: option("ms", "1000", wholeNumber(0, 10_000),
    "how far ahead of playback a device gets its sound"),
  flash: toggle("true",
    "flash the LEDs of a device when it connects; --no-flash leaves them alone"),
  sounds: option("list", "", soundFiles,
    "files of sounds for devices, instead of startup.* and mode_1.* to mode_5.*: startup=a.wav,1=b.mp3",
    soundFileTable),
};

// prettier-ignore
const events = {
  maxEvents: option("n", String(defaultMaxEvents), wholeNumber(1_000, 10_000_000),
    "limit of the events that are kept for replay, of the last 7 days; the oldest go first"),
  hook: option("list", "", hooks,
    "webhooks, separated by semicolons: URL, or NAME=URL, then globs of types and of subjects: \"a=https://x.example/y stream.*\"",
    hookTables),
  hookSecretFile: option("file", "", optionalText,
    "file with the secret that signs webhooks; by default hook-secret in the cache folder, which the server makes"),
  hookAllow: option("networks", "", optionalNetworks,
    "private networks that webhooks may reach, such as 127.0.0.0/8; without it public addresses only"),
  onEvent: option("command", "", command,
    "program that runs for each event, without a shell; with arguments as a JSON array"),
  onEventTypes: option("globs", "*", eventTypes,
    "types of events that the command runs for, such as recording.closed,stream.*"),
};

// prettier-ignore
const mqtt = {
  mqttUrl: option("url", "", mqttUrl,
    "MQTT broker that gets events and the state of devices, such as mqtt://localhost or mqtts://broker.example:8883"),
  mqttCredentialsFile: option("file", "", optionalText,
    "file with USER:PASSWORD for the MQTT broker"),
  mqttPrefix: option("topic", "wavecache", mqttPrefix,
    "beginning of all MQTT topics of this server; servers that share a broker need different ones"),
  mqttDiscovery: option("topic", "homeassistant", v.union([v.literal("off"), mqttPrefix]),
    "prefix by which Home Assistant discovers devices over MQTT; off for none"),
};

// prettier-ignore
const cluster = {
  catalog: option("url", "", catalogUrl,
    "PostgreSQL database with the catalog, which several nodes share: postgres://USER@HOST/DATABASE; without it a file"),
  catalogPasswordFile: option("file", "", optionalText,
    "file with the password for --catalog; without it the variable PGPASSWORD"),
  natsUrls: option("urls", "", natsUrls,
    "NATS servers by which several nodes share what is live, such as nats://10.0.0.5:4222 or tls://nats.example"),
  natsCredentialsFile: option("file", "", optionalText,
    "file with USER:PASSWORD for NATS"),
  natsPrefix: option("subject", "wavecache", natsPrefix,
    "beginning of all NATS subjects; nodes that belong together have the same one"),
};

// prettier-ignore
const tracing = {
  otlpUrl: option("url", "", collectorUrl,
    "OpenTelemetry collector that gets traces by OTLP over HTTP, such as http://localhost:4318"),
  traceRatio: option("part", "1", ratio,
    "part of the traces that are recorded, 0 to 1; those of a caller who records its own are recorded always"),
};

/** Where a server finds and leaves what other programs need of it: never in a configuration file. */
// prettier-ignore
const invocation = {
  config: option("file|off", "", optionalText,
    "configuration file; default: wavecache.toml here, in ~/.config/wavecache or in /etc/wavecache; off for none"),
  readyFile: option("file", "", optionalText,
    "file that gets the ports and addresses as JSON once the server is ready; it is removed at the end"),
  readyFd: option("n", "", optionalDescriptor,
    "inherited file descriptor that gets the same as a line, and is closed then"),
};

/** The tables of a configuration file, with the options that are their keys. */
export const tables = {
  server,
  access,
  cache,
  retention,
  archive,
  recordings,
  songs,
  tls,
  devices,
  events,
  mqtt,
  cluster,
  tracing,
};

export type TableName = keyof typeof tables;
export const tableNames = Object.keys(tables) as TableName[];

export const options = {
  ...invocation,
  ...server,
  ...access,
  ...cache,
  ...retention,
  ...archive,
  ...recordings,
  ...songs,
  ...tls,
  ...devices,
  ...events,
  ...mqtt,
  ...cluster,
  ...tracing,
};

export type Name = keyof typeof options;

/** What the server runs with: a value for each option. */
export type Config = Readonly<{ [N in Name]: v.InferOutput<(typeof options)[N]["schema"]> }>;

export const optionNames = Object.keys(options) as Name[];

/** The key of an option in its table of a configuration file: `cache-dir` sets `cacheDir`. */
export function keyOf(name: Name): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export function namesIn(table: TableName): Name[] {
  return Object.keys(tables[table]) as Name[];
}

/** The flag of an option: `--cache-dir` sets `cacheDir`. */
export function flagOf(name: Name): string {
  return `--${keyOf(name)}`;
}

/** The environment variable of an option: `WAVECACHE_CACHE_DIR` sets `cacheDir`. */
export function variableOf(name: Name): string {
  return `WAVECACHE_${keyOf(name).replaceAll("-", "_").toUpperCase()}`;
}
