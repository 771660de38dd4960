/** `device`: a device with buttons, LEDs and a speaker in a terminal, or as a script, or many of them. */
import type { CAC } from "cac";
import type { DeviceOptions } from "../../client/devices/device.ts";
import { defaultRetries } from "../../client/limits.ts";
import { parseAddress } from "../streams/address.ts";
import { countOption, flagOption, type Options, requiredText, textOption } from "../kit/arguments.ts";
import { parseScript, randomSteps, scriptHint } from "../device/script.ts";
import { usageError } from "../kit/failures.ts";
import { outputFolder } from "../kit/files.ts";
import { type Context, jsonOption } from "../streams/transfers.ts";
import { trustOf, trustOptions } from "../streams/trust.ts";

const defaultPort = 50051;
const defaultAddress = `localhost:${defaultPort}`;
const defaultId = "simulator";
const defaultSeconds = "10";
const maxSeconds = 86_400;
const maxDevices = 10_000;
const maxRetries = 1_000;

export function registerDevice(cli: CAC, context: Context): void {
  const command = cli
    .command("device", "Be a device with buttons, LEDs and a speaker: in a terminal, or by a script")
    .option("--grpc <address>", "HOST:PORT of the server's devices", { default: defaultAddress })
    .option("--id <id>", "Id of the device", { default: defaultId })
    .option("--press <steps>", "Do this and end, for example mode,play,wait:1.5,stop")
    .option("-o, --output <folder>", `Folder for the sounds, as WAV files (default: ${outputFolder})`)
    .option("--count <number>", "Devices at once, ID-1, ID-2, ...: by --press, or pressing at random")
    .option("--seconds <number>", "How long devices press at random", { default: defaultSeconds })
    .option("--battery <percent>", "Battery level to report (default: falls slowly from 100)")
    .option("--no-play", "Do not play the sounds; in a terminal a player is used if there is one")
    .option(
      "--retries <number>",
      `Attempts to connect again (default: ${defaultRetries}; in a terminal for ever)`,
    )
    .option("--tls", "Connect with TLS; --ca and --insecure say so too");
  jsonOption(trustOptions(command))
    .example("  $ bun run client device --id lamp")
    .example("  $ bun run client device --press mode,play,wait-end --output sounds")
    .example("  $ bun run client device --press play,wait:0.5,hold-stop --json")
    .example("  $ bun run client device --count 100 --seconds 30")
    .action((options: Options) => device(options, context));
}

async function device(options: Options, context: Context): Promise<void> {
  const script = textOption(options, "press");
  const steps = script === undefined ? undefined : parseScript(script);
  const folder = textOption(options, "output");
  if (folder === "") throw usageError("--output is empty", "give the path of a folder");
  const json = flagOption(options, "json");
  const isOne = textOption(options, "count") === undefined;
  const isOnScreen = isOne && steps === undefined && context.terminal.isInteractive && !json;
  const settings = deviceSettings(options, isOnScreen ? Infinity : defaultRetries);
  // What a device is made of takes longer to load than most commands take in all.
  if (!isOne) {
    const count = countOption(options, "count", 1, maxDevices);
    const seconds = countOption(options, "seconds", 1, maxSeconds);
    const { runFleet } = await import("../device/fleet.ts");
    const stepsOfOne = () => steps ?? randomSteps(seconds, Math.random);
    await runFleet({ count, device: settings, script: stepsOfOne, folder }, json, context);
  } else if (steps !== undefined) {
    const { runOneScripted } = await import("../device/run.ts");
    await runOneScripted({ device: settings, steps, folder: folder ?? outputFolder }, json, context);
  } else if (isOnScreen) {
    const { runInTerminal } = await import("../device/terminal.ts");
    const plays = options["play"] !== false;
    await runInTerminal({ device: settings, folder: folder ?? outputFolder, plays }, context);
  } else {
    throw usageError("nobody is here to press buttons", `give --press STEPS: ${scriptHint}`);
  }
}

/** `retries` where the user does not say. */
function deviceSettings(options: Options, retries: number): DeviceOptions {
  const { address, secure } = addressOf(requiredText(options, "grpc"));
  const trust = trustOf(options);
  const tls = secure || flagOption(options, "tls") || trust.ca !== undefined || trust.insecure === true;
  const battery = numberOption(options, "battery", 100);
  return {
    address,
    deviceId: requiredText(options, "id"),
    tls: tls ? trust : undefined,
    retry: { retries: numberOption(options, "retries", maxRetries) ?? retries },
    ...(battery === undefined ? {} : { battery }),
  };
}

/** 0 to `max`; undefined where it is not given. */
function numberOption(options: Options, name: string, max: number): number | undefined {
  return textOption(options, name) === undefined ? undefined : countOption(options, name, 0, max);
}

/** HOST:PORT, also behind grpc:// or grpcs://, as the server says it. */
function addressOf(text: string): { address: string; secure: boolean } {
  const bare = text.replace(/^grpcs?:\/\//i, "");
  const { host, port } = parseAddress("grpc", bare, defaultPort);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { address, secure: /^grpcs:/i.test(text) };
}
