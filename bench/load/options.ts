/** The options of `bun run bench`, checked. */
import { cac } from "cac";
import { maxReadBytes } from "../../src/base/limits/streams.ts";
import { GiB, KiB, MiB } from "../../src/base/limits/units.ts";
import {
  countOption,
  flagOption,
  type Options,
  requiredText,
  textOption,
} from "../../src/cli/kit/arguments.ts";
import { usageError } from "../../src/cli/kit/failures.ts";
import { ClientError } from "../../src/client/errors.ts";
import { readConfig } from "../../src/config/config.ts";
import { numberOption, readCommandLine } from "./command.ts";

export interface Settings {
  /** Address of a running server; undefined to start one. */
  server: string | undefined;
  streams: number;
  frameBytes: number;
  bytesPerStream: number;
  /** GETs in flight for each stream. */
  window: number;
  rounds: number;
  /** Also run over protocol v1, on this many connections; undefined for the older protocol alone. */
  v1Connections: number | undefined;
  workers: number;
  /** The server is closed, and the streams have a token. */
  hasToken: boolean;
  ceilings: boolean;
  /** Output file for the figures. */
  json: string | undefined;
  /** Rate of each stream, or undefined for full speed. */
  rateMbps: number | undefined;
  seconds: number;
  targets: Targets;
}

/** Targets of a run. */
export interface Targets {
  uploadMbps: number;
  downloadMbps: number;
  /** p99 of GET in paced mode. */
  getP99Ms: number;
  /** For protocol v1: rates as shares of those of the older protocol and of a bare sender; a short read beside long ones. */
  v1UploadOfOlder: number;
  v1DownloadOfOlder: number;
  v1DownloadOfSender: number;
  v1BesideP99Ms: number;
}

const v1Targets = {
  v1UploadOfOlder: 1,
  v1DownloadOfOlder: 1.2,
  v1DownloadOfSender: 0.7,
  v1BesideP99Ms: 20,
};

const maxStreams = 10_000;
const maxWindow = 1024;
const maxRounds = 100;
const maxV1Connections = 1024;
const maxWorkers = 64;
const maxSeconds = 3600;

/** Parses the command line; undefined for --help, which it has printed. Throws a usage error. */
export function readSettings(args: string[]): Settings | undefined {
  const cli = cac("bun run bench");
  cli
    .command("[...rest]", "Load a server with many streams")
    .usage(
      "[options]\n\nLoads a server with many streams, verifies every byte, and compares it with the limits of this machine.",
    )
    .option("--server <url>", "Server to load, such as ws://host:8080/audio (default: one is started)")
    .option("--streams <count>", "Connections at once, each with its own stream", { default: "128" })
    .option(
      "--protocol <name>",
      "v1: also run over protocol v1, alternating with the older protocol (legacy)",
      {
        default: "legacy",
      },
    )
    .option("--connections <count>", "Connections that share the streams over protocol v1", {
      default: "1",
    })
    .option("--frame-bytes <size>", "Length of an upload's frames and of a GET", { default: "65536" })
    .option("--bytes-per-stream <size>", "Length of each stream", { default: "8MiB" })
    .option("--window <count>", "GETs in flight for each stream", { default: "4" })
    .option("--rounds <count>", "Rounds of upload and download; the median counts", { default: "3" })
    .option("--workers <count>", "Workers of the server that is started", { default: defaultWorkers() })
    .option("--with-token", "Close the server that is started, and send a token with several grants")
    .option("--without-ceilings", "Do not measure the ceilings of the machine")
    .option("--rate-mbps <rate>", "Paced: each stream sends and reads at this rate, in Mbit/s")
    .option("--seconds <count>", "Paced: length of each of the two phases", { default: "10" })
    .option("--target-upload-mbps <rate>", "Target for the upload of all streams", { default: "100" })
    .option("--target-download-mbps <rate>", "Target for the download of all streams", { default: "200" })
    .option("--target-p99-ms <ms>", "Paced: target for the p99 of GET", { default: "10" })
    .option("--json <file>", "Write all figures to this file")
    .example("  $ bun run bench")
    .example("  $ bun run bench --frame-bytes 8192 --rounds 5")
    .example("  $ bun run bench --streams 1 --bytes-per-stream 1GiB")
    .example("  $ bun run bench --protocol v1 --streams 128 --connections 1")
    .example("  $ bun run bench --rate-mbps 2");
  return readCommandLine(cli, args, settingsOf);
}

function settingsOf(options: Options): Settings {
  const server = textOption(options, "server");
  const isAddress = server === undefined || (/^wss?:\/\/[^/]/i.test(server) && URL.canParse(server));
  if (!isAddress) throw new ClientError("BAD_URL", server);
  return {
    server,
    streams: countOption(options, "streams", 1, maxStreams),
    frameBytes: sizeOption(options, "frame-bytes", maxReadBytes),
    bytesPerStream: sizeOption(options, "bytes-per-stream", 4 * GiB),
    window: countOption(options, "window", 1, maxWindow),
    v1Connections: v1ConnectionsOption(options),
    rounds: countOption(options, "rounds", 1, maxRounds),
    workers: countOption(options, "workers", 1, maxWorkers),
    hasToken: flagOption(options, "with-token"),
    ceilings: !flagOption(options, "without-ceilings"),
    json: textOption(options, "json"),
    rateMbps: textOption(options, "rate-mbps") === undefined ? undefined : numberOption(options, "rate-mbps"),
    seconds: countOption(options, "seconds", 1, maxSeconds),
    targets: {
      uploadMbps: numberOption(options, "target-upload-mbps"),
      downloadMbps: numberOption(options, "target-download-mbps"),
      getP99Ms: numberOption(options, "target-p99-ms"),
      ...v1Targets,
    },
  };
}

function v1ConnectionsOption(options: Options): number | undefined {
  const connections = countOption(options, "connections", 1, maxV1Connections);
  const protocol = requiredText(options, "protocol");
  if (protocol === "legacy") return undefined;
  if (protocol === "v1") return connections;
  throw usageError(`--protocol is neither v1 nor legacy: "${protocol}"`);
}

/** The server's default. */
function defaultWorkers(): string {
  return String(readConfig([], {})!.workers);
}

const units: Record<string, number> = { "": 1, KiB, MiB, GiB };

/** "65536", "64KiB", "8MiB": at least 1 byte. */
function sizeOption(options: Options, name: string, max: number): number {
  const text = requiredText(options, name);
  const match = /^(\d{1,15})(KiB|MiB|GiB)?$/.exec(text);
  const bytes = match === null ? Number.NaN : Number(match[1]) * units[match[2] ?? ""]!;
  if (bytes >= 1 && bytes <= max) return bytes;
  throw usageError(`--${name} is not a size from 1 to ${max} bytes, such as 65536 or 8MiB: "${text}"`);
}
