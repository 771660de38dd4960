/** A device on the screen of a terminal, with its buttons on keys. */
import {
  type ButtonName,
  Device,
  type DeviceNotice,
  type DeviceOptions,
} from "../../client/devices/device.ts";
import { type DeviceNews, newsLine } from "./lines.ts";
import { SoundRecorder, type SavedSound } from "./recorder.ts";
import { deviceScreen, type DeviceView } from "./screen.ts";
import { failureOf } from "../kit/failures.ts";
import { playerCommand, SoundPlayer } from "../playback/sound-player.ts";
import { humanDuration } from "../kit/text.ts";
import type { Context } from "../streams/transfers.ts";

export interface TerminalRun {
  device: Omit<DeviceOptions, "signal" | "onNotice">;
  folder: string;
  plays: boolean;
}

const drawMs = 100;
const maxNews = 100;
/** A key that is held down repeats itself faster than a finger presses. */
const minPressMs = 150;

const keyButtons: Record<string, { button: ButtonName; holds: boolean }> = {
  c: { button: "connect", holds: false },
  m: { button: "mode", holds: false },
  p: { button: "play", holds: false },
  s: { button: "stop", holds: false },
  S: { button: "stop", holds: true },
};
/** Ctrl-C and Ctrl-D too. */
const quitKeys: ReadonlySet<string> = new Set(["q", "Q", "\u0003", "\u0004"]);

/** Until the user quits; throws what ends the device for good. */
export async function runInTerminal(run: TerminalRun, context: Context): Promise<void> {
  const session = new Session(run, context.signal);
  const screen = context.terminal.fullScreen((key) => session.key(key));
  const draw = () => {
    const lines = deviceScreen(session.view(), performance.now(), screen.size, context.terminal.hasColors);
    screen.draw(lines);
  };
  const timer = setInterval(draw, drawMs);
  try {
    draw();
    await session.run();
  } finally {
    clearInterval(timer);
    screen.close();
    await session.close();
    for (const line of session.summary()) context.terminal.print(line);
  }
}

class Session {
  readonly #run: TerminalRun;
  readonly #device: Device;
  readonly #recorder: SoundRecorder;
  readonly #player: SoundPlayer | undefined;
  readonly #news: string[] = [];
  readonly #startMs = performance.now();
  readonly #pressedMs = new Map<string, number>();
  #playerText: string;
  #sinceMs = this.#startMs;
  #latePackets = 0;
  #savedSounds = 0;
  #lastSaved: SavedSound | undefined;

  constructor(run: TerminalRun, signal: AbortSignal) {
    this.#run = run;
    const { deviceId } = run.device;
    const command = run.plays ? playerCommand() : undefined;
    if (command !== undefined) this.#player = new SoundPlayer((error) => this.#playerFailed(error));
    this.#playerText = playerText(run.plays, command);
    this.#recorder = new SoundRecorder({
      deviceId,
      folder: run.folder,
      player: this.#player,
      saved: (sound) => {
        this.#savedSounds++;
        this.#lastSaved = sound;
        this.#tell({ type: "saved", ...sound });
      },
    });
    this.#device = new Device({ ...run.device, signal, onNotice: (notice) => this.#noticed(notice) });
  }

  run(): Promise<void> {
    return this.#device.run();
  }

  key(key: string): void {
    if (quitKeys.has(key)) this.#device.close();
    const known = keyButtons[key];
    const now = performance.now();
    if (known === undefined || now - (this.#pressedMs.get(key) ?? -Infinity) < minPressMs) return;
    this.#pressedMs.set(key, now);
    if (this.#device.connection !== "connected") {
      this.#add(`${known.button} does nothing without a connection`);
      return;
    }
    // A real device is silent at once, whatever has come ahead of being heard.
    if (known.button === "stop") this.#player?.stop();
    void this.#push(known.button, known.holds);
  }

  view(): DeviceView {
    const device = this.#device;
    return {
      deviceId: device.deviceId,
      address: this.#run.device.address,
      connection: device.connection,
      connections: device.connections,
      leds: device.leds,
      battery: device.battery,
      sound: device.sound,
      sounds: device.sounds,
      packets: device.packets,
      bytes: device.bytes,
      sinceMs: this.#sinceMs,
      latePackets: this.#latePackets,
      folder: this.#run.folder,
      player: this.#playerText,
      news: this.#news,
    };
  }

  async close(): Promise<void> {
    this.#device.close();
    await this.#player?.close();
    await this.#recorder.finish();
  }

  /** What is left to see when the screen is gone. */
  summary(): string[] {
    if (this.#lastSaved === undefined) return [];
    const { path, audioMs } = this.#lastSaved;
    const last = `saved ${path} (${humanDuration(audioMs)})`;
    const more = this.#savedSounds - 1;
    return more === 0 ? [last] : [`${last}, and ${more} before it`];
  }

  async #push(button: ButtonName, holds: boolean): Promise<void> {
    try {
      await this.#device.press(button);
      if (holds) await this.#device.hold(button);
      await this.#device.release(button);
    } catch (error) {
      this.#add(failureOf(error).line);
    }
  }

  #noticed(notice: DeviceNotice): void {
    this.#recorder.take(notice);
    if (notice.type === "connected" || notice.type === "lost") this.#sinceMs = performance.now();
    if (notice.type === "packet" && notice.lateMs > 0) this.#latePackets++;
    this.#tell(notice);
  }

  #tell(news: DeviceNews): void {
    const line = isShownElsewhere(news) ? undefined : newsLine(news);
    if (line !== undefined) this.#add(line);
  }

  #add(line: string): void {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1);
    this.#news.push(`${seconds.padStart(7)} s  ${line}`);
    if (this.#news.length > maxNews) this.#news.shift();
  }

  #playerFailed(error: unknown): void {
    this.#playerText = "not played";
    this.#add(failureOf(error).line);
  }
}

/** LEDs are seen, and of a button that was pushed one acknowledgement is enough. */
function isShownElsewhere(news: DeviceNews): boolean {
  return (
    news.type === "leds" || news.type === "button" || (news.type === "acked" && news.action === "release")
  );
}

function playerText(plays: boolean, command: string | undefined): string {
  if (command !== undefined) return `played with ${command}`;
  return plays ? "not played: there is no player (ffplay, mpv, aplay)" : "not played";
}
