/** `device`: a device with buttons, LEDs and a speaker in a terminal, or as a script, or many of them. */
import type { CAC } from "cac";
import type { DeviceOptions } from "../../client/device.ts";
import { parseAddress } from "../address.ts";
import { countOption, flagOption, type Options, requiredText, textOption } from "../arguments.ts";
import { parseScript, randomSteps, scriptHint } from "../device-script.ts";
import { usageError } from "../failures.ts";
import { outputFolder } from "../files.ts";
import { type Context, jsonOption } from "../transfers.ts";
import { trustOf, trustOptions } from "../trust.ts";

const defaultPort = 50051;
const defaultAddress = `localhost:${defaultPort}`;
const defaultId = "simulator";
const defaultSeconds = "10";
const maxSeconds = 86_400;
const maxDevices = 10_000;
const maxRetries = 1_000;
const defaultScriptRetries = "10";

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
    .option("--retries <number>", "Attempts to connect again (default: 10; in a terminal for ever)")
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
  const settings = deviceSettings(options);
  const folder = textOption(options, "output");
  if (folder === "") throw usageError("--output is empty", "give the path of a folder");
  const json = flagOption(options, "json");
  // What a device is made of takes longer to load than most commands take in all.
  if (textOption(options, "count") !== undefined) {
    const count = countOption(options, "count", 1, maxDevices);
    const seconds = countOption(options, "seconds", 1, maxSeconds);
    const { runFleet } = await import("../device-fleet.ts");
    const stepsOfOne = () => steps ?? randomSteps(seconds, Math.random);
    await runFleet({ count, device: settings, script: stepsOfOne, folder }, json, context);
  } else if (steps !== undefined) {
    const { runOneScripted } = await import("../device-run.ts");
    await runOneScripted({ device: settings, steps, folder: folder ?? outputFolder }, json, context);
  } else if (context.terminal.isInteractive && !json) {
    const { runInTerminal } = await import("../device-terminal.ts");
    const retry = textOption(options, "retries") === undefined ? { retries: Infinity } : settings.retry;
    const plays = options["play"] !== false;
    await runInTerminal(
      { device: { ...settings, ...(retry && { retry }) }, folder: folder ?? outputFolder, plays },
      context,
    );
  } else {
    throw usageError("nobody is here to press buttons", `give --press STEPS: ${scriptHint}`);
  }
}

function deviceSettings(options: Options): DeviceOptions {
  const { address, secure } = addressOf(requiredText(options, "grpc"));
  const trust = trustOf(options);
  const tls = secure || flagOption(options, "tls") || trust.ca !== undefined || trust.insecure === true;
  const battery =
    textOption(options, "battery") === undefined ? {} : { battery: countOption(options, "battery", 0, 100) };
  const retries = countOption({ retries: defaultScriptRetries, ...options }, "retries", 0, maxRetries);
  return {
    address,
    deviceId: requiredText(options, "id"),
    tls: tls ? trust : undefined,
    retry: { retries },
    ...battery,
  };
}

/** HOST:PORT, also behind grpc:// or grpcs://, as the server says it. */
function addressOf(text: string): { address: string; secure: boolean } {
  const bare = text.replace(/^grpcs?:\/\//i, "");
  const { host, port } = parseAddress("grpc", bare, defaultPort);
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return { address, secure: /^grpcs:/i.test(text) };
}
