/** `device`: simulates a device with buttons, LEDs and a speaker: interactive, scripted, or many at once. */
import type { CAC, Command } from "cac";
import type { DeviceOptions } from "../../client/devices/device.ts";
import { defaultRetries } from "../../client/limits.ts";
import { parseAddress } from "../connect/address.ts";
import { maxRetries } from "../connect/server-options.ts";
import { tokenOf } from "../connect/access.ts";
import { accessOptions } from "../connect/server-options.ts";
import { trustOf } from "../connect/trust.ts";
import { parseScript, randomSteps, scriptHint, type Step } from "../device/script.ts";
import {
  countOption,
  flagOption,
  jsonOption,
  type Options,
  requiredText,
  textOption,
} from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { usageError } from "../kit/failures.ts";
import { outputFolder } from "../kit/files.ts";

const defaultPort = 50051;
const defaultAddress = `localhost:${defaultPort}`;
const defaultId = "simulator";
const defaultSeconds = "10";
const maxSeconds = 86_400;
const maxDevices = 10_000;

export function registerDevice(cli: CAC, context: Context): void {
  const command = cli.command("device", "Simulate a device with buttons, LEDs and a speaker");
  jsonOption(accessOptions(connectionOptions(behaviorOptions(command))))
    .example("  $ bun run client device --id lamp")
    .example("  $ bun run client device --press mode,play,wait-end --output sounds")
    .example("  $ bun run client device --press play,wait:0.5,hold-stop --json")
    .example("  $ bun run client device --count 100 --seconds 30")
    .action((options: Options) => device(options, context));
}

function behaviorOptions(command: Command): Command {
  return command
    .option("--id <id>", "Id of the device", { default: defaultId })
    .option(
      "--press <steps>",
      "Run a script and exit, e.g. mode,play,wait:1.5,stop (default: keys press buttons)",
    )
    .option("-o, --output <folder>", `Folder for received sounds, as WAV files (default: ${outputFolder})`)
    .option("--count <number>", "Simulate many devices ID-1, ID-2, ...: scripted, else with random presses")
    .option("--seconds <number>", "Duration of random presses", { default: defaultSeconds })
    .option("--battery <percent>", "Battery level to report (default: falls slowly from 100)")
    .option("--no-play", "Do not play sounds (default: play them on a terminal if a player is installed)");
}

function connectionOptions(command: Command): Command {
  return command
    .option("--grpc <address>", "HOST:PORT of the server's device gateway", { default: defaultAddress })
    .option(
      "--retries <number>",
      `Reconnection attempts in a row (default: ${defaultRetries}; unlimited on a terminal)`,
    )
    .option("--tls", "Connect with TLS (implied by --ca and --insecure)");
}

async function device(options: Options, context: Context): Promise<void> {
  const script = textOption(options, "press");
  const steps = script === undefined ? undefined : parseScript(script);
  const folder = textOption(options, "output");
  if (folder === "") throw usageError("--output is empty", "give the path of a folder");
  if (textOption(options, "count") !== undefined) await runMany(options, steps, folder, context);
  else if (steps !== undefined) await runOne(options, steps, folder ?? outputFolder, context);
  else if (context.terminal.isInteractive && !flagOption(options, "json")) {
    await runOnKeys(options, folder ?? outputFolder, context);
  } else {
    throw usageError("nobody is here to press buttons", `give --press STEPS: ${scriptHint}`);
  }
}

// The three ways to run load their modules dynamically: gRPC and Opus take longer to load than most commands run.

async function runMany(
  options: Options,
  steps: Step[] | undefined,
  folder: string | undefined,
  context: Context,
): Promise<void> {
  const settings = deviceSettings(options, defaultRetries);
  const count = countOption(options, "count", 1, maxDevices);
  const seconds = countOption(options, "seconds", 1, maxSeconds);
  const { runDeviceFleet } = await import("../device/fleet.ts");
  const script = () => steps ?? randomSteps(seconds, Math.random);
  const fleet = { count, device: settings, script, folder };
  await runDeviceFleet(fleet, flagOption(options, "json"), context);
}

async function runOne(options: Options, steps: Step[], folder: string, context: Context): Promise<void> {
  const settings = deviceSettings(options, defaultRetries);
  const { runAndPrint } = await import("../device/scripted.ts");
  await runAndPrint({ device: settings, steps, folder }, flagOption(options, "json"), context);
}

async function runOnKeys(options: Options, folder: string, context: Context): Promise<void> {
  const settings = deviceSettings(options, Infinity);
  const { runInteractive } = await import("../device/interactive.ts");
  await runInteractive({ device: settings, folder, plays: options["play"] !== false }, context);
}

/** `retriesByDefault` applies without --retries. */
function deviceSettings(options: Options, retriesByDefault: number): DeviceOptions {
  const { address, secure } = addressOf(requiredText(options, "grpc"));
  const trust = trustOf(options);
  const tls = secure || flagOption(options, "tls") || trust.ca !== undefined || trust.insecure === true;
  const battery = numberOption(options, "battery", 100);
  return {
    address,
    deviceId: requiredText(options, "id"),
    token: tokenOf(options),
    tls: tls ? trust : undefined,
    retry: { retries: numberOption(options, "retries", maxRetries) ?? retriesByDefault },
    ...(battery === undefined ? {} : { battery }),
  };
}

/** From 0 to `max`; undefined if the option is not given. */
function numberOption(options: Options, name: string, max: number): number | undefined {
  return textOption(options, name) === undefined ? undefined : countOption(options, name, 0, max);
}

/** Accepts HOST:PORT, also behind grpc:// or grpcs://, as the server logs it. */
function addressOf(text: string): { address: string; secure: boolean } {
  const bare = text.replace(/^grpcs?:\/\//i, "");
  const { host, port } = parseAddress("grpc", bare, defaultPort);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { address, secure: /^grpcs:/i.test(text) };
}
