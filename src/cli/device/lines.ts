/** What happens to a device, as lines for people and as objects for programs. */
import type { DeviceNotice } from "../../client/devices/device.ts";
import type { DeviceSound } from "../../client/devices/sound.ts";
import type { Leds } from "../../wire/devices.ts";
import type { SavedSound } from "./recorder.ts";
import { humanBytes, humanDuration } from "../kit/text.ts";

export type DeviceNews = DeviceNotice | ({ type: "saved" } & SavedSound);

/** One line; undefined for what is not worth one. */
export function newsLine(news: DeviceNews): string | undefined {
  switch (news.type) {
    case "connecting":
      return "connecting";
    case "connected":
      return "connected";
    case "retrying":
      return `trying again in ${humanDuration(news.delayMs)}: ${news.error.message}`;
    case "leds":
      return `LEDs ${news.leds.map(ledText).join(" ")}`;
    case "asked":
      return "state asked for, and told";
    case "button":
      return `${news.action} ${news.button}`;
    case "acked":
      return `${news.action} ${news.button} acknowledged in ${humanDuration(news.ms)}`;
    case "sound-start":
      return `sound ${news.sound.number} begins`;
    case "packet":
    // Said again by what comes of it: another attempt, or the end.
    case "lost":
      return undefined;
    case "sound-end":
      return `sound ${news.sound.number} ${endTexts[news.end]}: ${soundText(news.sound)}`;
    case "saved":
      return `saved ${news.path} (${humanDuration(news.audioMs)})${undecodableText(news)}`;
  }
}

const endTexts = { end: "ends", replaced: "gives way to another", lost: "breaks off" };

/** For programs; undefined for packets, of which the end of their sound tells the sum. */
export function newsObject(news: DeviceNews): Record<string, unknown> | undefined {
  const { type: event } = news;
  switch (news.type) {
    case "packet":
      return undefined;
    case "lost":
      return { event, message: news.error.message };
    case "retrying":
      return { event, message: news.error.message, delayMs: rounded(news.delayMs) };
    case "leds":
      return { event, leds: news.leds.map(ledText) };
    case "acked":
      return { event, button: news.button, action: news.action, ms: rounded(news.ms) };
    case "sound-start":
      return { event, sound: news.sound.number };
    case "sound-end": {
      const { number: sound, packets, bytes, audioMs, worstLateMs } = news.sound;
      return { event, sound, end: news.end, packets, bytes, audioMs, worstLateMs: rounded(worstLateMs) };
    }
    default: {
      const { type, ...rest } = news;
      return { event: type, ...rest };
    }
  }
}

/** "#FF00FFFF": red, green, blue, and how opaque. */
export function ledText(rgba: Leds[number]): string {
  return `#${rgba.toString(16).toUpperCase().padStart(8, "0")}`;
}

export function soundText({ packets, bytes, audioMs, worstLateMs }: DeviceSound): string {
  const lateness = worstLateMs === 0 ? "in time" : `at most ${humanDuration(worstLateMs)} late`;
  return `${packets} packets, ${humanDuration(audioMs)}, ${humanBytes(bytes)}, ${lateness}`;
}

function undecodableText({ undecodable }: SavedSound): string {
  return undecodable === 0 ? "" : `, silence where packets are no Opus (${undecodable})`;
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100;
}
