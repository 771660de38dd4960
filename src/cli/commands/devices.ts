/** `devices`: shows the state of a server's devices, once or continuously. */
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import {
  type DeviceList,
  type DeviceListOptions,
  followDevices,
  type ListedDevice,
  listDevices,
} from "../../client/http/devices.ts";
import { pause } from "../../client/transport/retry.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { failureOf } from "../kit/failures.ts";
import { humanTime, safeJson, table } from "../kit/text.ts";

const pollMs = 500;

export function registerDevices(cli: CAC, context: Context): void {
  const command = cli
    .command("devices", "Show the devices of a server")
    .option("--connected", "Show only connected devices")
    .option("--watch", "Keep showing changes until Ctrl-C");
  jsonOption(serverOption(command))
    .example("  $ bun run client devices")
    .example("  $ bun run client devices --connected --watch")
    .action((options: Options) => devices(options, context));
}

async function devices(options: Options, context: Context): Promise<void> {
  const request = { ...apiSettings(options, context), connected: flagOption(options, "connected") };
  const asJson = flagOption(options, "json");
  if (flagOption(options, "watch")) return await watch(request, asJson, context);
  context.terminal.printAll(linesOf(await listDevices(request), asJson));
}

/** Shows each change as it happens; a server that sends none is asked again and again. */
async function watch(request: DeviceListOptions, asJson: boolean, context: Context): Promise<void> {
  const show = printer(asJson, context);
  for (;;) {
    try {
      if (!(await follow(request, asJson, show))) show(linesOf(await listDevices(request), asJson));
    } catch (error) {
      // A failure that may pass is shown in place of the table.
      if (!(error instanceof ClientError) || !error.again || asJson) throw error;
      show([failureOf(error).line]);
    }
    await pause(pollMs, context.signal);
  }
}

/** Shows changes until the connection ends. False if the server sends none. */
async function follow(request: DeviceListOptions, asJson: boolean, show: Show): Promise<boolean> {
  const changes = await followDevices(request);
  if (changes === undefined) return false;
  const known = new Map<string, ListedDevice>();
  for await (const { devices, gone, incomplete } of changes) {
    for (const device of devices) known.set(device.deviceId, device);
    for (const id of gone) known.delete(id);
    const listed = [...known.values()].filter(({ connected }) => connected || request.connected !== true);
    show(linesOf({ devices: listed.toSorted(byId), incomplete }, asJson));
  }
  return true;
}

function byId(a: ListedDevice, b: ListedDevice): number {
  return a.deviceId < b.deviceId ? -1 : 1;
}

type Show = (lines: string[]) => void;

/** On a screen, draws over the previous table. Otherwise prints each change, and JSON as one line per change. */
function printer(asJson: boolean, { terminal }: Context): Show {
  let shown = "";
  return (lines) => {
    const text = lines.join("\n");
    if (text === shown) return;
    shown = text;
    if (asJson) terminal.print(text.replaceAll(/\n */g, " "));
    else if (terminal.printsToScreen) terminal.redraw(lines);
    else terminal.printAll(lines);
  };
}

function linesOf(list: DeviceList, asJson: boolean): string[] {
  if (asJson) return [safeJson(list)];
  const note = list.incomplete ? ["devices of other servers may be missing: they cannot be reached"] : [];
  return [...note, ...tableOf(list.devices)];
}

/** The nodes are shown where there are several. */
function tableOf(devices: readonly ListedDevice[]): string[] {
  if (devices.length === 0) return ["no devices"];
  const head = ["DEVICE", "STATE", "SINCE", "MODE", "PLAYS", "LEDS", "BATTERY"];
  const rows = [head, ...devices.map(row)];
  const numbers = [3, 4, 6];
  if (!devices.some(hasNode)) return table(rows, numbers);
  const nodes = ["NODE", ...devices.map(({ node }) => node ?? "-")];
  return table(
    rows.map((cells, index) => cells.concat(nodes[index]!)),
    numbers,
  );
}

function hasNode({ node }: ListedDevice): boolean {
  return node !== undefined && node !== null;
}

function row(device: ListedDevice): string[] {
  const { deviceId, connected, connectedSince, lastSeen, mode, playing, leds, battery } = device;
  return [
    deviceId,
    connected ? "connected" : "away",
    humanTime(connectedSince ?? lastSeen),
    String(mode),
    playing === null ? "-" : String(playing),
    litLedsText(leds),
    battery === null ? "-" : String(Math.round(battery * 100) / 100),
  ];
}

function litLedsText(leds: readonly string[]): string {
  const lit = leds.flatMap((color, led) => (color === "#00000000" ? [] : [`${led} ${color}`]));
  return lit.length === 0 ? "off" : lit.join(", ");
}
