/** What a device shows in a terminal, line by line; nothing here knows of the terminal but its size. */
import type { DeviceConnection } from "../../client/devices/device.ts";
import type { DeviceSound } from "../../client/devices/sound.ts";
import type { Leds } from "../../wire/devices.ts";
import { ledText } from "./lines.ts";
import type { ScreenSize } from "../kit/full-screen.ts";
import { humanBytes, visible } from "../kit/text.ts";

export interface DeviceView {
  deviceId: string;
  address: string;
  connection: DeviceConnection;
  /** Of the connection, or of trying to have one. */
  sinceMs: number;
  connections: number;
  leds: Leds;
  battery: number;
  sound: Pick<DeviceSound, "number" | "startedMs" | "packets" | "worstLateMs"> | undefined;
  sounds: number;
  packets: number;
  bytes: number;
  latePackets: number;
  /** Where sounds are saved. */
  folder: string;
  /** What plays them, or why nothing does. */
  player: string;
  /** What happened, oldest first. */
  news: readonly string[];
}

const keyTexts = ["c connect", "m mode", "p play", "s stop", "S hold stop", "q quit"];
const blockWidth = 9;
const cellWidth = blockWidth + 2;
const modeColor = 0xff00ffff;
const playingColor = 0x00ff00ff;

/** At most as many lines as the screen has rows, none wider than it. */
export function deviceScreen(view: DeviceView, nowMs: number, size: ScreenSize, colors: boolean): string[] {
  const head = [
    visible(`Device ${view.deviceId} at ${view.address}`),
    connectionText(view, nowMs),
    "",
    ...ledLines(view.leds, size.columns, colors),
    "",
    ...stateLines(view, nowMs),
    "",
  ];
  const keys = wrapped(keyTexts, size.columns);
  const room = Math.max(0, size.rows - keys.length - 1);
  const shown = head.slice(0, room);
  const newsRoom = room - shown.length;
  const news = newsRoom > 0 ? view.news.slice(-newsRoom).map(visible) : [];
  const body = [...shown, ...news, ...Array.from({ length: newsRoom - news.length }, () => "")];
  return [...body, "", ...keys].slice(-size.rows).map((line) => Bun.sliceAnsi(line, 0, size.columns));
}

/** The mode that the LEDs say, or undefined while they say none, as when they flash. */
export function modeIn(leds: Leds): number | undefined {
  const [, ...shown] = leds;
  const chosen = shown.indexOf(modeColor) + 1;
  if (chosen > 0) return chosen;
  const playing = leds.indexOf(playingColor);
  if (playing >= 0) return playing;
  return leds.every((color) => color === 0) ? 0 : undefined;
}

function connectionText({ connection, sinceMs, connections }: DeviceView, nowMs: number): string {
  const seconds = Math.floor((nowMs - sinceMs) / 1000);
  const again = connections > 1 ? `, connection ${connections}` : "";
  return `${connection} for ${seconds} s${again}`;
}

function stateLines(view: DeviceView, nowMs: number): string[] {
  const { leds, sound, sounds, packets, bytes, latePackets, battery, folder, player } = view;
  return [
    `Mode      ${modeIn(leds) ?? "-"}`,
    `Playing   ${sound === undefined ? "nothing" : playingText(sound, nowMs)}`,
    `Received  ${sounds} sounds, ${packets} packets (${latePackets} late), ${humanBytes(bytes)}`,
    `Battery   ${battery.toFixed(0)} %`,
    visible(`Sounds    to ${folder}, ${player}`),
  ];
}

function playingText(sound: NonNullable<DeviceView["sound"]>, nowMs: number): string {
  const seconds = ((nowMs - sound.startedMs) / 1000).toFixed(1);
  return `sound ${sound.number} for ${seconds} s, ${sound.packets} packets`;
}

/** Three lines a row of LEDs: names, blocks, colors. */
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

/** Devices have led_0 and do not show it. */
function ledName(led: number): string {
  return led === 0 ? "led_0 (-)" : `led_${led}`;
}

function block(rgba: number, colors: boolean): string {
  const opacity = (rgba & 0xff) / 255;
  if (rgba === 0 || opacity === 0) return ".".repeat(blockWidth);
  if (!colors) return "#".repeat(blockWidth);
  const [red, green, blue] = [24, 16, 8].map((shift) => Math.round(((rgba >>> shift) & 0xff) * opacity));
  return `\u001b[48;2;${red};${green};${blue}m${" ".repeat(blockWidth)}\u001b[0m`;
}

function cells(texts: readonly string[]): string {
  return texts
    .map((text) => text + " ".repeat(cellWidth - Bun.stringWidth(text)))
    .join("")
    .trimEnd();
}

/** Words side by side in as few lines as they fit in. */
function wrapped(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    const longer = last === undefined ? word : `${last}   ${word}`;
    if (last !== undefined && longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
