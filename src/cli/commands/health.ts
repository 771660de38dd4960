/** `health`: whether a server lives, or with --ready can do its work; for the probes of containers and scripts. */
import type { CAC } from "cac";
import type { ApiOptions } from "../../client/http/api.ts";
import { isAlive, readReasons } from "../../client/http/state.ts";
import { bunFetchOf } from "../../client/transport/bun.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { countOption, flagOption, jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";

/** A probe that waits longer would end after the next one has begun. */
const timeoutMs = 4_000;

export function registerHealth(cli: CAC, context: Context): void {
  const command = cli
    .command("health", "Exit with 0 if the server lives, and with 1 if not: for probes")
    .option("--ready", "Only if it can do its work; otherwise say why it cannot")
    .option("--port <port>", "The server of this machine at this port, over HTTP or HTTPS");
  jsonOption(serverOption(command))
    .example("  $ bun run client health")
    .example("  $ bun run client health --ready --server https://radio.example")
    .action((options: Options) => health(options, context));
}

async function health(options: Options, context: Context): Promise<void> {
  const state = flagOption(options, "ready") ? "ready" : "alive";
  await checkEither(addressesOf(options, context), state);
  printResult(options, context.terminal, { json: { state }, lines: [state] });
}

/** With --port both ways in which this machine's server may listen: who asks itself need not verify a certificate. */
function addressesOf(options: Options, context: Context): ApiOptions[] {
  const given = { ...apiSettings(options, context), timeoutMs };
  if (textOption(options, "port") === undefined) return [given];
  const host = `127.0.0.1:${countOption(options, "port", 1, 65_535)}`;
  return [
    { ...given, url: `ws://${host}`, fetch },
    { ...given, url: `wss://${host}`, fetch: bunFetchOf({ insecure: true }) },
  ];
}

async function checkEither([first, second]: ApiOptions[], state: "ready" | "alive"): Promise<void> {
  try {
    await check(first!, state);
  } catch (error) {
    if (second === undefined || error instanceof NotReady) throw error;
    await check(second, state);
  }
}

class NotReady extends CliError {}

async function check(api: ApiOptions, state: "ready" | "alive"): Promise<void> {
  const reasons = state === "ready" ? await readReasons(api) : [];
  if (reasons.length > 0) throw new NotReady(`the server is not ready: ${reasons.join(", ")}`, "see its log");
  if (state === "alive" && !(await isAlive(api)))
    throw new CliError("this is no Wavecache server", "check host and port");
}
