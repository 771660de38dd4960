/** A simulated device on a terminal: full-screen state, and keys as buttons. */
import {
  type ButtonName,
  Device,
  type DeviceNotice,
  type DeviceOptions,
} from "../../client/devices/device.ts";
import type { Context } from "../kit/context.ts";
import { ctrlC, ctrlD } from "../kit/escape-codes.ts";
import { failureOf } from "../kit/failures.ts";
import { humanDuration } from "../kit/text.ts";
import { playerCommand, SoundPlayer } from "../playback/sound-player.ts";
import { type DeviceEvent, eventLine } from "./events.ts";
import { type SavedSound, SoundRecorder } from "./recorder.ts";
import { push } from "./script.ts";
import { deviceScreen, type DeviceScreenState } from "./screen.ts";

export interface InteractiveRun {
  device: Omit<DeviceOptions, "signal" | "onNotice">;
  folder: string;
  plays: boolean;
}

const drawMs = 100;
const maxLogLines = 100;
/** Ignores repeats of a key that is held down: they come faster than a finger presses. */
const minPressMs = 150;
/** A sound that has not begun this long after Play will probably not come. */
const soundStartMs = 3_000;

const keyButtons: Record<string, { button: ButtonName; holds: boolean }> = {
  c: { button: "connect", holds: false },
  m: { button: "mode", holds: false },
  p: { button: "play", holds: false },
  s: { button: "stop", holds: false },
  S: { button: "stop", holds: true },
};
const quitKeys: ReadonlySet<string> = new Set(["q", "Q", ctrlC, ctrlD]);

/** Runs until the user quits; throws the error that ends the device. */
export async function runInteractive(run: InteractiveRun, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const device = new InteractiveDevice(run, signal);
  const screen = terminal.fullScreen((key) => device.onKey(key));
  const draw = () =>
    screen.draw(deviceScreen(device.state(), performance.now(), screen.size, terminal.hasColors));
  const timer = setInterval(draw, drawMs);
  try {
    draw();
    await device.run();
  } finally {
    clearInterval(timer);
    screen.close();
    await device.close();
    terminal.printAll(device.summary());
  }
}

class InteractiveDevice {
  readonly #run: InteractiveRun;
  readonly #device: Device;
  readonly #recorder: SoundRecorder;
  readonly #player: SoundPlayer | undefined;
  readonly #log: string[] = [];
  readonly #startMs = performance.now();
  /** When each key was last accepted. */
  readonly #pressedMs = new Map<string, number>();
  #playerText: string;
  #sinceMs = this.#startMs;
  #latePackets = 0;
  #savedSounds = 0;
  #lastSaved: SavedSound | undefined;
  /** Runs after Play until a sound must have begun. */
  #soundTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(run: InteractiveRun, signal: AbortSignal) {
    this.#run = run;
    const { deviceId } = run.device;
    const command = run.plays ? playerCommand() : undefined;
    if (command !== undefined) this.#player = new SoundPlayer((error) => this.#onPlayerFailure(error));
    this.#playerText = playerText(run.plays, command);
    this.#recorder = new SoundRecorder({
      deviceId,
      folder: run.folder,
      player: this.#player,
      onSaved: (sound) => this.#onSaved(sound),
    });
    this.#device = new Device({ ...run.device, signal, onNotice: (notice) => this.#onNotice(notice) });
  }

  run(): Promise<void> {
    return this.#device.run();
  }

  onKey(key: string): void {
    if (quitKeys.has(key)) this.#device.close();
    const press = keyButtons[key];
    const nowMs = performance.now();
    if (press === undefined || nowMs - (this.#pressedMs.get(key) ?? -Infinity) < minPressMs) return;
    this.#pressedMs.set(key, nowMs);
    if (this.#device.connection !== "connected") {
      this.#add(`${press.button} does nothing without a connection`);
      return;
    }
    // A real device stops at once and drops the audio that it has buffered.
    if (press.button === "stop") this.#player?.stop();
    void this.#push(press.button, press.holds);
  }

  state(): DeviceScreenState {
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
      log: this.#log,
    };
  }

  async close(): Promise<void> {
    clearTimeout(this.#soundTimer);
    this.#device.close();
    await this.#player?.close();
    await this.#recorder.finish();
  }

  /** Lines to print after the screen is closed. */
  summary(): string[] {
    if (this.#lastSaved === undefined) return [];
    const { path, audioMs } = this.#lastSaved;
    const last = `saved ${path} (${humanDuration(audioMs)})`;
    const earlier = this.#savedSounds - 1;
    return earlier === 0 ? [last] : [`${last}, and ${earlier} before it`];
  }

  async #push(button: ButtonName, holds: boolean): Promise<void> {
    const soundsBefore = this.#device.sounds;
    clearTimeout(this.#soundTimer);
    try {
      await push(this.#device, button, holds);
      if (button === "play") this.#expectSound(soundsBefore);
    } catch (error) {
      this.#add(failureOf(error).line);
    }
  }

  #expectSound(soundsBefore: number): void {
    clearTimeout(this.#soundTimer);
    this.#soundTimer = setTimeout(() => {
      if (this.#device.sounds === soundsBefore) this.#addEvent({ type: "no-sound" });
    }, soundStartMs);
  }

  #onNotice(notice: DeviceNotice): void {
    this.#recorder.add(notice);
    if (notice.type === "connected" || notice.type === "lost") this.#sinceMs = performance.now();
    if (notice.type === "packet" && notice.lateMs > 0) this.#latePackets++;
    this.#addEvent(notice);
  }

  #onSaved(sound: SavedSound): void {
    this.#savedSounds++;
    this.#lastSaved = sound;
    this.#addEvent({ type: "saved", ...sound });
  }

  #onPlayerFailure(error: unknown): void {
    this.#playerText = "not played";
    this.#add(failureOf(error).line);
  }

  #addEvent(event: DeviceEvent): void {
    const line = isRedundant(event) ? undefined : eventLine(event);
    if (line !== undefined) this.#add(line);
  }

  #add(line: string): void {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1);
    this.#log.push(`${seconds.padStart(7)} s  ${line}`);
    if (this.#log.length > maxLogLines) this.#log.shift();
  }
}

/** The screen shows the LEDs already, and one acknowledgement per press is enough. */
function isRedundant(event: DeviceEvent): boolean {
  return (
    event.type === "leds" || event.type === "button" || (event.type === "acked" && event.action === "release")
  );
}

function playerText(plays: boolean, command: string | undefined): string {
  if (command !== undefined) return `played with ${command}`;
  return plays ? "not played: no player is installed (ffplay, mpv, aplay)" : "not played";
}
