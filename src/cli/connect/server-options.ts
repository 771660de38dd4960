/** How commands reach a server: --server, --protocol and --retries, and what they become in the client library. */
import type { Command } from "cac";
import type { ApiOptions } from "../../client/http/api.ts";
import { type ProtocolChoice, protocolChoices } from "../../client/negotiate.ts";
import { bunFetchOf, bunPlatformOf } from "../../client/transport/bun.ts";
import type { RetryNotice, RetryPolicy } from "../../client/transport/retry.ts";
import type { PlatformConnectOptions } from "../../client/v1/client.ts";
import { choiceOption, countOption, type Options, requiredText, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { humanDuration } from "../kit/text.ts";
import { tokenOf, tokenOption } from "./access.ts";
import { webSocketUrl } from "./address.ts";
import { trustOf, trustOptions } from "./trust.ts";

const defaultPort = 8080;
const defaultPath = "/audio";
export const defaultServer = `ws://localhost:${defaultPort}${defaultPath}`;
export const maxRetries = 1_000;

/** Declares --server, --token, --ca and --insecure. */
export function serverOption(command: Command): Command {
  return accessOptions(
    command.option("-s, --server <url>", "Address of the server: ws://, http://, or HOST:PORT", {
      default: defaultServer,
    }),
  );
}

/** Declares --token, --ca and --insecure. */
export function accessOptions(command: Command): Command {
  return trustOptions(tokenOption(command));
}

/** The WebSocket address of the server; `text` overrides --server. */
export function serverOf(options: Options, text = requiredText(options, "server")): string {
  return webSocketUrl("server", text, defaultPort, defaultPath);
}

export function protocolOption(command: Command): Command {
  return command.option("--protocol <kind>", "v1, legacy, or auto: v1 if the server speaks it", {
    default: "auto",
  });
}

export function protocolOf(options: Options): ProtocolChoice {
  return choiceOption(options, "protocol", protocolChoices) ?? "auto";
}

/** Empty without --retries: each protocol has its own default. */
export function retryOf(options: Options): Partial<RetryPolicy> {
  if (textOption(options, "retries") === undefined) return {};
  return { retries: countOption(options, "retries", 0, maxRetries) };
}

export function retryText({ error, delayMs, retry, retries }: RetryNotice): string {
  return `${error.message}; trying again in ${humanDuration(delayMs)} (${retry} of ${retries})`;
}

/** For requests to the server's HTTP API. */
export function apiSettings(options: Options, context: Context): ApiOptions {
  const url = serverOf(options);
  const fetch = bunFetchOf(trustOf(options), tokenOf(options, url));
  return { url, signal: context.signal, fetch };
}

/** For connections with protocol v1. */
export function connectSettings(options: Options, context: Context): PlatformConnectOptions {
  return {
    platform: bunPlatformOf(trustOf(options), tokenOf(options)),
    name: "wavecache-cli",
    signal: context.signal,
  };
}
