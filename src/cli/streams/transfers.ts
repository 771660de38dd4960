/** What the commands that move audio have in common: options, progress, notices, the lines of a report. */
import type { Command } from "cac";
import type { ApiOptions } from "../../client/http/api.ts";
import { bunFetchOf, bunPlatformOf } from "../../client/transport/bun.ts";
import type { Digests } from "../../client/digests.ts";
import {
  answerTimeoutMs,
  defaultChunkBytes,
  defaultRetries,
  defaultStreamRetries,
  defaultWindowGets,
  maxChunkBytes,
  maxWindowGets,
} from "../../client/limits.ts";
import { type ProtocolChoice, protocolChoices } from "../../client/negotiate.ts";
import type { ClientEvent, TransferOptions } from "../../client/legacy/options.ts";
import type { RetryNotice, RetryPolicy } from "../../client/transport/retry.ts";
import type { PlatformConnectOptions } from "../../client/v1/client.ts";
import {
  choiceOption,
  countOption,
  flagOption,
  type Options,
  requiredText,
  textOption,
} from "../kit/arguments.ts";
import type { Terminal } from "../kit/terminal.ts";
import { trustOf, trustOptions } from "./trust.ts";
import { humanBytes, humanDuration, megabitsPerSecond } from "../kit/text.ts";

/** What every command is given. */
export interface Context {
  terminal: Terminal;
  /** Aborts when the user wants the program to end. */
  signal: AbortSignal;
}

export const defaultServer = "ws://localhost:8080/audio";

const maxRetries = 1000;
const retriesText = `Reconnections without progress before giving up (default: ${defaultStreamRetries} with protocol v1, else ${defaultRetries})`;
const defaultParallel = 8;
const maxParallel = 256;
const defaultTimeoutSeconds = answerTimeoutMs / 1000;
const maxTimeoutSeconds = 3600;

export function serverOption(command: Command): Command {
  return trustOptions(
    command.option("-s, --server <url>", "Address of the server", { default: defaultServer }),
  );
}

export function protocolOption(command: Command): Command {
  return command.option("--protocol <kind>", "v1, legacy, or auto: v1 where the server speaks it", {
    default: "auto",
  });
}

export function protocolOf(options: Options): ProtocolChoice {
  return choiceOption(options, "protocol", protocolChoices) ?? "auto";
}

export function parallelOption(command: Command): Command {
  return command.option("--parallel <count>", "Files under way at once", {
    default: String(defaultParallel),
  });
}

export function parallelOf(options: Options): number {
  return countOption(options, "parallel", 1, maxParallel);
}

export function jsonOption(command: Command): Command {
  return command.option("--json", "Print JSON, for programs");
}

export function transferOptions(command: Command): Command {
  return protocolOption(serverOption(command))
    .option("--checksum <kind>", "Digest to show: sha256, or md5 beside it", { default: "sha256" })
    .option("--retries <count>", retriesText)
    .option("--timeout <seconds>", "Time that an answer may take", { default: String(defaultTimeoutSeconds) })
    .option("-v, --verbose", "Say on stderr what happens");
}

export function chunkOption(command: Command): Command {
  const text = "Size of an upload frame";
  return command.option("--chunk <bytes>", text, { default: String(defaultChunkBytes) });
}

export function windowOption(command: Command): Command {
  const text = "GETs under way at once";
  return command.option("--window <count>", text, { default: String(defaultWindowGets) });
}

export function chunkBytesOf(options: Options): number {
  return countOption(options, "chunk", 1, maxChunkBytes);
}

export function windowGetsOf(options: Options): number {
  return countOption(options, "window", 1, maxWindowGets);
}

/** How a command asks the server's HTTP interface. */
export function apiSettings(options: Options, context: Context): ApiOptions {
  const fetch = bunFetchOf(trustOf(options));
  return { url: requiredText(options, "server"), signal: context.signal, fetch };
}

/** How a command connects with v1. */
export function connectSettings(options: Options, context: Context): PlatformConnectOptions {
  return { platform: bunPlatformOf(trustOf(options)), name: "wavecache-cli", signal: context.signal };
}

/** The library's options behind a command line; `url` where it was not given as --server. */
export function transferSettings(options: Options, context: Context, url?: string): TransferOptions {
  const md5 = choiceOption(options, "checksum", ["sha256", "md5"]) === "md5";
  const verbose = flagOption(options, "verbose");
  return {
    platform: bunPlatformOf(trustOf(options)),
    url: url ?? requiredText(options, "server"),
    digests: md5 ? ["sha256", "md5"] : ["sha256"],
    retry: retryOf(options),
    limits: { answerTimeoutMs: countOption(options, "timeout", 1, maxTimeoutSeconds) * 1000 },
    signal: context.signal,
    onEvent: (event) => {
      // Whoever waits wants to know for what, verbose or not.
      if (verbose || event.type === "retrying") context.terminal.note(describe(event));
    },
  };
}

/** Empty where the user leaves it to the protocol. */
export function retryOf(options: Options): Partial<RetryPolicy> {
  if (textOption(options, "retries") === undefined) return {};
  return { retries: countOption(options, "retries", 0, maxRetries) };
}

export function retryText({ error, delayMs, retry, retries }: RetryNotice): string {
  return `${error.message}; trying again in ${humanDuration(delayMs)} (${retry} of ${retries})`;
}

function describe(event: ClientEvent): string {
  switch (event.type) {
    case "connecting":
      return `connecting to ${event.url}`;
    case "started":
      return `started ${event.streamId}${event.resumable ? " (the server can resume it)" : ""}`;
    case "resumed":
      return `going on with ${event.streamId} at byte ${event.offset}`;
    case "restarted":
      return `starting again as ${event.streamId}; ${event.oldStreamId} stays incomplete`;
    case "stopping":
      return `all of ${event.streamId} is sent`;
    case "reading":
      return `reading ${event.streamId} from byte ${event.offset}`;
    case "retrying":
      return retryText(event);
  }
}

/** A transfer with its progress bar, and how long it took. */
export async function timed<T>(
  context: Context,
  label: string,
  totalBytes: number | undefined,
  transfer: (onProgress: (bytes: number) => void) => Promise<T>,
): Promise<{ result: T; ms: number }> {
  const progress = context.terminal.progress(label, totalBytes);
  const start = performance.now();
  try {
    const result = await transfer((bytes) => progress.update(bytes));
    return { result, ms: performance.now() - start };
  } finally {
    progress.end();
  }
}

/** "3.91 MiB in 42 ms, 780.2 Mbps". */
export function speedLine(bytes: number, ms: number): string {
  return `${humanBytes(bytes)} in ${humanDuration(ms)}, ${megabitsPerSecond(bytes, ms).toFixed(1)} Mbps`;
}

/** One row a digest, for a report. */
export function digestRows(digests: Digests): string[][] {
  const rows: string[][] = [];
  if (digests.sha256 !== undefined) rows.push(["SHA-256", digests.sha256]);
  if (digests.md5 !== undefined) rows.push(["MD5", digests.md5]);
  return rows;
}
