/** Renders the state of a simulated device as the lines of a screen. Pure: the caller draws them. */
import type { DeviceConnectionState } from "../../client/devices/device.ts";
import type { DeviceSound } from "../../client/devices/sound.ts";
import type { Leds } from "../../wire/devices.ts";
import { onBackground } from "../kit/escape-codes.ts";
import type { ScreenSize } from "../kit/full-screen.ts";
import { humanBytes, visible, wrapped } from "../kit/text.ts";
import { ledText } from "./events.ts";

/** What the screen shows of a device. */
export interface DeviceScreenState {
  deviceId: string;
  address: string;
  connection: DeviceConnectionState;
  /** Time of the last connect or disconnect. */
  sinceMs: number;
  /** Connections so far. */
  connections: number;
  leds: Leds;
  /** Percent. */
  battery: number;
  /** Undefined in silence. */
  sound: Pick<DeviceSound, "number" | "startedMs" | "packets" | "worstLateMs"> | undefined;
  sounds: number;
  packets: number;
  bytes: number;
  latePackets: number;
  /** Folder of the saved sounds. */
  folder: string;
  /** Which player plays the sounds, or why none does. */
  player: string;
  /** Recent events, oldest first. */
  log: readonly string[];
}

const keyHelp = ["c connect", "m mode", "p play", "s stop", "S hold stop", "q quit"];
const blockWidth = 9;
const cellWidth = blockWidth + 2;
const modeColor = 0xff00ffff;
const playingColor = 0x00ff00ff;

/** Returns no more lines than the screen has rows, each no wider than its columns. */
export function deviceScreen(
  state: DeviceScreenState,
  nowMs: number,
  size: ScreenSize,
  colors: boolean,
): string[] {
  const head = [
    visible(`Device ${state.deviceId} at ${state.address}`),
    connectionText(state, nowMs),
    "",
    ...ledLines(state.leds, size.columns, colors),
    "",
    ...stateLines(state, nowMs),
    "",
  ];
  const keys = wrapped(keyHelp, size.columns);
  const bodyRows = Math.max(0, size.rows - keys.length - 1);
  const shownHead = head.slice(0, bodyRows);
  const logRows = bodyRows - shownHead.length;
  const log = logRows > 0 ? state.log.slice(-logRows).map(visible) : [];
  const padding = Array.from({ length: logRows - log.length }, () => "");
  const lines = [...shownHead, ...log, ...padding, "", ...keys];
  return lines.slice(-size.rows).map((line) => Bun.sliceAnsi(line, 0, size.columns));
}

/** The mode that the LEDs show; undefined while they show none, for example while they flash. */
export function modeIn(leds: Leds): number | undefined {
  const [, ...shown] = leds;
  const chosen = shown.indexOf(modeColor) + 1;
  if (chosen > 0) return chosen;
  const playing = leds.indexOf(playingColor);
  if (playing >= 0) return playing;
  return leds.every((color) => color === 0) ? 0 : undefined;
}

function connectionText({ connection, sinceMs, connections }: DeviceScreenState, nowMs: number): string {
  const seconds = Math.floor((nowMs - sinceMs) / 1000);
  const count = connections > 1 ? `, connection ${connections}` : "";
  return `${connection} for ${seconds} s${count}`;
}

function stateLines(state: DeviceScreenState, nowMs: number): string[] {
  const { leds, sound, sounds, packets, bytes, latePackets, battery, folder, player } = state;
  return [
    `Mode      ${modeIn(leds) ?? "-"}`,
    `Playing   ${sound === undefined ? "nothing" : playingText(sound, nowMs)}`,
    `Received  ${sounds} sounds, ${packets} packets (${latePackets} late), ${humanBytes(bytes)}`,
    `Battery   ${battery.toFixed(0)} %`,
    visible(`Sounds    to ${folder}, ${player}`),
  ];
}

function playingText(sound: NonNullable<DeviceScreenState["sound"]>, nowMs: number): string {
  const seconds = ((nowMs - sound.startedMs) / 1000).toFixed(1);
  return `sound ${sound.number} for ${seconds} s, ${sound.packets} packets`;
}

/** Three lines per row of LEDs: names, colored blocks, and color codes. */
function ledLines(leds: Leds, columns: number, colors: boolean): string[] {
  const perRow = Math.min(leds.length, Math.max(1, Math.floor((columns + 2) / cellWidth)));
  const lines: string[] = [];
  for (let first = 0; first < leds.length; first += perRow) {
    const row = leds.slice(first, first + perRow);
    lines.push(
      cells(row.map((_, at) => ledName(first + at))),
      cells(row.map((color, at) => block(first + at === 0 ? 0 : color, colors))),
      cells(row.map(ledText)),
    );
  }
  return lines;
}

/** Devices have led_0, but do not light it. */
function ledName(led: number): string {
  return led === 0 ? "led_0 (-)" : `led_${led}`;
}

/** Mixes the color with black by its alpha. */
function block(rgba: number, colors: boolean): string {
  const alpha = (rgba & 0xff) / 255;
  if (alpha === 0) return ".".repeat(blockWidth);
  if (!colors) return "#".repeat(blockWidth);
  const channel = (shift: number) => Math.round(((rgba >>> shift) & 0xff) * alpha);
  return onBackground(" ".repeat(blockWidth), channel(24), channel(16), channel(8));
}

function cells(texts: readonly string[]): string {
  return texts
    .map((text) => text + " ".repeat(cellWidth - Bun.stringWidth(text)))
    .join("")
    .trimEnd();
}
