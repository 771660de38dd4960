/** `press DEVICE BUTTON`: presses a button of a device, or holds it for a while. */
import type { CAC } from "cac";
import { durationExpected, parseDuration } from "../../base/duration.ts";
import {
  type DeviceButton,
  type DeviceButtonEvent,
  deviceButtons,
  type ListedDevice,
  maxHoldMs,
  useButton,
} from "../../client/http/devices.ts";
import { pause } from "../../client/transport/retry.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { jsonOption, type Options, textOption } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { CliError, usageError } from "../kit/failures.ts";
import { printResult } from "../kit/results.ts";
import { visible } from "../kit/text.ts";

/** A hold is repeated twice within the time after which the server would end it. */
const repeatMs = maxHoldMs / 2;

export function registerPress(cli: CAC, context: Context): void {
  const command = cli
    .command("press <device> <button>", `Press a button of a device: ${deviceButtons.join(", ")}`)
    .option("--hold <duration>", `Hold the button for this long instead: ${durationExpected}`);
  jsonOption(serverOption(command))
    .example("  $ bun run client press lamp mode")
    .example("  $ bun run client press lamp stop --hold 2s")
    .action((device: string, button: string, options: Options) => press(device, button, options, context));
}

async function press(device: string, name: string, options: Options, context: Context): Promise<void> {
  const button = deviceButtons.find((each) => each === name);
  if (button === undefined)
    throw usageError(`"${name}" is no button`, `the buttons are ${deviceButtons.join(", ")}`);
  const hold = textOption(options, "hold");
  const holdMs = hold === undefined ? undefined : parseDuration(hold);
  if (hold !== undefined && holdMs === undefined)
    throw usageError(`--hold is "${hold}"`, `give it as ${durationExpected}`);
  const use = (event: DeviceButtonEvent) => useOne(device, button, event, options, context);
  const after = holdMs === undefined ? await use("press") : await holdFor(holdMs, use, context.signal);
  const line = visible(
    `${holdMs === undefined ? "pressed" : "held"} ${button}: ${device} is in mode ${after.mode}`,
  );
  printResult(options, context.terminal, { json: after, lines: [line] });
}

/** Holds the button for this long. If the user interrupts it, the server ends the hold, as nobody repeats it. */
async function holdFor(
  ms: number,
  use: (event: DeviceButtonEvent) => Promise<ListedDevice>,
  signal: AbortSignal,
): Promise<ListedDevice> {
  const end = performance.now() + ms;
  for (let left = ms; left > 0; left = end - performance.now()) {
    await use("hold");
    await pause(Math.min(left, repeatMs), signal);
  }
  return await use("release");
}

async function useOne(
  device: string,
  button: DeviceButton,
  event: DeviceButtonEvent,
  options: Options,
  context: Context,
): Promise<ListedDevice> {
  const after = await useButton(device, button, event, apiSettings(options, context));
  if (after === undefined) throw new CliError(`no such device: ${device}`, "the command devices lists them");
  return after;
}
