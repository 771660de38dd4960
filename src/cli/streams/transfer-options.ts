/** The options of the commands that upload and download, and what they become in the client library. */
import type { Command } from "cac";
import type { ClientEvent, TransferOptions } from "../../client/legacy/options.ts";
import {
  answerTimeoutMs,
  defaultChunkBytes,
  defaultRetries,
  defaultStreamRetries,
  defaultWindowGets,
  maxChunkBytes,
  maxWindowGets,
} from "../../client/limits.ts";
import { bunPlatformOf } from "../../client/transport/bun.ts";
import { protocolOption, retryOf, retryText, serverOf, serverOption } from "../connect/server-options.ts";
import { tokenOf } from "../connect/access.ts";
import { trustOf } from "../connect/trust.ts";
import { choiceOption, countOption, flagOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";

const retriesText = `Reconnections without progress before giving up (default: ${defaultStreamRetries} with protocol v1, else ${defaultRetries})`;
const defaultParallel = 8;
const maxParallel = 256;
const defaultTimeoutSeconds = answerTimeoutMs / 1000;
const maxTimeoutSeconds = 3600;

export function transferOptions(command: Command): Command {
  return protocolOption(serverOption(command))
    .option("--checksum <kind>", "Digests to show: sha256, or md5 for both", { default: "sha256" })
    .option("--retries <count>", retriesText)
    .option("--timeout <seconds>", "How long to wait for a response", {
      default: String(defaultTimeoutSeconds),
    })
    .option("-v, --verbose", "Log the steps of each transfer on stderr");
}

export function parallelOption(command: Command): Command {
  return command.option("--parallel <count>", "Maximum number of files in transfer at once", {
    default: String(defaultParallel),
  });
}

export function parallelOf(options: Options): number {
  return countOption(options, "parallel", 1, maxParallel);
}

export function chunkOption(command: Command): Command {
  return command.option("--chunk <bytes>", "Size of an upload frame, legacy protocol only", {
    default: String(defaultChunkBytes),
  });
}

export function windowOption(command: Command): Command {
  return command.option("--window <count>", "Maximum number of GETs in flight, legacy protocol only", {
    default: String(defaultWindowGets),
  });
}

/** Options of the legacy protocol only; validated whichever protocol the server speaks. */
export interface LegacyOptions {
  chunkBytes?: number;
  windowGets?: number;
}

/** Not every command declares both. */
export function legacyOptionsOf(options: Options): LegacyOptions {
  return {
    ...(options.chunk !== undefined && { chunkBytes: countOption(options, "chunk", 1, maxChunkBytes) }),
    ...(options.window !== undefined && { windowGets: countOption(options, "window", 1, maxWindowGets) }),
  };
}

/** The client library's options; `url` overrides --server. */
export function transferSettings(options: Options, context: Context, url?: string): TransferOptions {
  const md5 = choiceOption(options, "checksum", ["sha256", "md5"]) === "md5";
  const verbose = flagOption(options, "verbose");
  return {
    platform: bunPlatformOf(trustOf(options), tokenOf(options)),
    url: serverOf(options, url),
    digests: md5 ? ["sha256", "md5"] : ["sha256"],
    retry: retryOf(options),
    limits: { answerTimeoutMs: countOption(options, "timeout", 1, maxTimeoutSeconds) * 1000 },
    signal: context.signal,
    onEvent: (event) => {
      // Without a notice of retries, a waiting client would look stuck; one that sends all again, slow.
      if (verbose || event.type === "retrying" || event.type === "startedOver")
        context.terminal.note(eventText(event));
    },
  };
}

export function startedOverText(streamId: string): string {
  return `starting ${streamId} again at byte 0: the server had other audio under this id`;
}

function eventText(event: ClientEvent): string {
  switch (event.type) {
    case "connecting":
      return `connecting to ${event.url}`;
    case "started":
      return `started ${event.streamId}${event.resumable ? " (the server can resume it)" : ""}`;
    case "resumed":
      return `resuming ${event.streamId} at byte ${event.offset}`;
    case "restarted":
      return `starting again as ${event.streamId}; ${event.oldStreamId} stays incomplete`;
    case "startedOver":
      return startedOverText(event.streamId);
    case "stopping":
      return `sent all of ${event.streamId}`;
    case "reading":
      return `reading ${event.streamId} from byte ${event.offset}`;
    case "retrying":
      return retryText(event);
  }
}
