/** What happens to a device, as lines for people and as objects for programs. */
import type { DeviceNotice } from "../../client/devices/device.ts";
import type { DeviceSound } from "../../client/devices/sound.ts";
import type { Leds } from "../../wire/devices.ts";
import { humanBytes, humanDuration } from "../kit/text.ts";
import type { SavedSound } from "./recorder.ts";

export type DeviceEvent =
  | DeviceNotice
  | ({ type: "saved" } & SavedSound)
  /** Play was pressed, and no sound has begun. */
  | { type: "no-sound" };

/** Undefined for events that are not shown. */
export function eventLine(event: DeviceEvent): string | undefined {
  switch (event.type) {
    case "connecting":
      return "connecting";
    case "connected":
      return "connected";
    case "retrying":
      return `trying again in ${humanDuration(event.delayMs)}: ${event.error.message}`;
    case "leds":
      return `LEDs ${event.leds.map(ledText).join(" ")}`;
    case "asked":
      return "status requested and reported";
    case "button":
      return `${event.action} ${event.button}`;
    case "acked":
      return `${event.action} ${event.button} acknowledged in ${humanDuration(event.ms)}`;
    case "sound-start":
      return `sound ${event.sound.number} begins`;
    case "packet":
    // "retrying", or the error that ends the command, follows and has the same message.
    case "lost":
      return undefined;
    case "sound-end":
      return `sound ${event.sound.number} ${endTexts[event.end]}: ${soundText(event.sound)}`;
    case "no-sound":
      return "no sound has begun: the server may have none for this mode";
    case "saved":
      return `saved ${event.path} (${humanDuration(event.audioMs)})${undecodableText(event)}`;
  }
}

const endTexts = { end: "ends", replaced: "is replaced by the next one", lost: "breaks off" };

/** Undefined for packets: the end of a sound has their totals. */
export function eventObject(deviceEvent: DeviceEvent): Record<string, unknown> | undefined {
  const { type: event } = deviceEvent;
  switch (deviceEvent.type) {
    case "packet":
      return undefined;
    case "lost":
      return { event, message: deviceEvent.error.message };
    case "retrying":
      return { event, message: deviceEvent.error.message, delayMs: rounded(deviceEvent.delayMs) };
    case "leds":
      return { event, leds: deviceEvent.leds.map(ledText) };
    case "acked":
      return withEvent({ ...deviceEvent, ms: rounded(deviceEvent.ms) });
    case "sound-start":
      return { event, sound: deviceEvent.sound.number };
    case "sound-end":
      return { event, end: deviceEvent.end, ...soundObject(deviceEvent.sound) };
    default:
      return withEvent(deviceEvent);
  }
}

function withEvent({ type, ...rest }: DeviceEvent): Record<string, unknown> {
  return { event: type, ...rest };
}

function soundObject({ number, packets, bytes, audioMs, worstLateMs }: DeviceSound) {
  return { sound: number, packets, bytes, audioMs, worstLateMs: rounded(worstLateMs) };
}

/** "#FF00FFFF": red, green, blue and alpha. */
export function ledText(rgba: Leds[number]): string {
  return `#${rgba.toString(16).toUpperCase().padStart(8, "0")}`;
}

function soundText({ packets, bytes, audioMs, worstLateMs }: DeviceSound): string {
  const lateness = worstLateMs === 0 ? "in time" : `up to ${humanDuration(worstLateMs)} late`;
  return `${packets} packets, ${humanDuration(audioMs)}, ${humanBytes(bytes)}, ${lateness}`;
}

function undecodableText({ undecodable }: SavedSound): string {
  return undecodable === 0 ? "" : `, silence where packets are no Opus (${undecodable})`;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
