/** `devices`: what the devices of a server are doing, once or for as long as somebody looks. */
import type { CAC } from "cac";
import { type DeviceListOptions, type ListedDevice, listDevices } from "../../client/http/devices.ts";
import { ClientError } from "../../client/errors.ts";
import { flagOption, type Options } from "../kit/arguments.ts";
import { failureOf } from "../kit/failures.ts";
import { humanTime, safeJson, table } from "../kit/text.ts";
import { apiSettings, type Context, jsonOption, serverOption } from "../streams/transfers.ts";

const watchMs = 500;

export function registerDevices(cli: CAC, context: Context): void {
  const command = cli
    .command("devices", "Show the devices of a server")
    .option("--connected", "Only those that are connected")
    .option("--watch", "Go on showing them until Ctrl-C");
  jsonOption(serverOption(command))
    .example("  $ bun run client devices")
    .example("  $ bun run client devices --connected --watch")
    .action((options: Options) => devices(options, context));
}

async function devices(options: Options, context: Context): Promise<void> {
  const request = { ...apiSettings(options, context), connected: flagOption(options, "connected") };
  const asJson = flagOption(options, "json");
  if (flagOption(options, "watch")) return await watch(request, asJson, context);
  const found = await listDevices(request);
  for (const line of linesOf(found, asJson)) context.terminal.print(line);
}

/** Draws over what was there on a screen; elsewhere prints all again when something is different, JSON in one line. */
async function watch(request: DeviceListOptions, asJson: boolean, context: Context): Promise<void> {
  const { terminal, signal } = context;
  let shown = "";
  for (;;) {
    const lines = await look(request, asJson);
    const text = lines.join("\n");
    if (text !== shown) {
      if (asJson) terminal.print(text.replaceAll(/\n */g, " "));
      else if (terminal.printsToScreen) terminal.redraw(lines);
      else for (const line of lines) terminal.print(line);
    }
    shown = text;
    await pause(watchMs, signal);
  }
}

/** A server that cannot be reached now may be started again. */
async function look(request: DeviceListOptions, asJson: boolean): Promise<string[]> {
  try {
    return linesOf(await listDevices(request), asJson);
  } catch (error) {
    if (error instanceof ClientError && error.again && !asJson) return [failureOf(error).line];
    throw error;
  }
}

/** Rejects with the signal's reason. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
}

function linesOf(found: readonly ListedDevice[], asJson: boolean): string[] {
  if (asJson) return [safeJson({ devices: found })];
  if (found.length === 0) return ["no devices"];
  const head = ["DEVICE", "STATE", "SINCE", "MODE", "PLAYS", "LEDS", "BATTERY"];
  return table([head, ...found.map(row)], [3, 4, 6]);
}

function row(device: ListedDevice): string[] {
  const { deviceId, connected, connectedSince, lastSeen, mode, playing, leds, battery } = device;
  return [
    deviceId,
    connected ? "connected" : "away",
    humanTime(connectedSince ?? lastSeen),
    String(mode),
    playing === null ? "-" : String(playing),
    ledsText(leds),
    battery === null ? "-" : String(Math.round(battery * 100) / 100),
  ];
}

/** The LEDs that are on, with their colors. */
function ledsText(leds: readonly string[]): string {
  const on = leds.flatMap((color, led) => (color === "#00000000" ? [] : [`${led} ${color}`]));
  return on.length === 0 ? "off" : on.join(", ");
}
