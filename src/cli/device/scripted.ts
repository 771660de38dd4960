/** A simulated device that runs a script. */
import { Device, type DeviceNotice, type DeviceOptions } from "../../client/devices/device.ts";
import type { Context } from "../kit/context.ts";
import { CliError } from "../kit/failures.ts";
import { safeJson, visible } from "../kit/text.ts";
import { ConditionWaiter, DeviceConditions } from "./conditions.ts";
import { type DeviceEvent, eventLine, eventObject } from "./events.ts";
import { SoundRecorder } from "./recorder.ts";
import { runScript, type Step } from "./script.ts";

export interface ScriptedRun {
  device: Omit<DeviceOptions, "signal" | "onNotice">;
  steps: readonly Step[];
  /** Folder for received sounds; undefined: they are not saved. */
  folder: string | undefined;
  onEvent(event: DeviceEvent): void;
}

/** Runs the steps and closes the device. Throws the first error of the device, a step or a file. */
export async function runScripted(run: ScriptedRun, signal: AbortSignal): Promise<void> {
  const waiter = new ConditionWaiter();
  const sounds = new SavedSounds(run);
  const onNotice = (notice: DeviceNotice) => {
    run.onEvent(notice);
    sounds.add(notice);
    if (notice.type === "sound-end" && notice.end === "lost" && !signal.aborted) waiter.fail(brokenOff());
    waiter.check();
  };
  const device = new Device({ ...run.device, signal, onNotice });
  const deviceFailed = new AbortController();
  const running = device.run().catch((error: unknown) => {
    waiter.fail(error);
    deviceFailed.abort(error);
  });
  try {
    const either = AbortSignal.any([signal, deviceFailed.signal]);
    await runScript(device, new DeviceConditions(device, waiter), run.steps, either);
    either.throwIfAborted();
    const played = run.steps.some((step) => step.kind === "press" && step.button === "play");
    if (played && device.sounds === 0) run.onEvent({ type: "no-sound" });
  } finally {
    device.close();
    await running;
    await sounds.finish();
  }
  sounds.refuseUndecodable();
}

function brokenOff(): CliError {
  return new CliError("a sound broke off", "the connection to the server was lost");
}

/** The recorder, if there is a folder for it, and how many packets it could not decode. */
class SavedSounds {
  readonly #recorder: SoundRecorder | undefined;
  #undecodable = 0;

  constructor({ device: { deviceId }, folder, onEvent }: ScriptedRun) {
    if (folder === undefined) return;
    this.#recorder = new SoundRecorder({
      deviceId,
      folder,
      onSaved: (sound) => {
        this.#undecodable += sound.undecodable;
        onEvent({ type: "saved", ...sound });
      },
    });
  }

  add(notice: DeviceNotice): void {
    this.#recorder?.add(notice);
  }

  async finish(): Promise<void> {
    await this.#recorder?.finish();
  }

  refuseUndecodable(): void {
    if (this.#undecodable === 0) return;
    const packets = this.#undecodable === 1 ? "1 packet is" : `${this.#undecodable} packets are`;
    throw new CliError(`${packets} no Opus`, "the server sends another format, or damaged packets");
  }
}

/** Runs one device and prints each event as a line, or with `json` as an object. */
export async function runAndPrint(
  run: Omit<ScriptedRun, "onEvent">,
  json: boolean,
  { terminal, signal }: Context,
): Promise<void> {
  const startMs = performance.now();
  const onEvent = (event: DeviceEvent) => {
    const seconds = ((performance.now() - startMs) / 1000).toFixed(3);
    const line = json ? jsonLine(event, seconds) : timedLine(event, seconds);
    if (line !== undefined) terminal.print(line);
  };
  await runScripted({ ...run, onEvent }, signal);
}

function jsonLine(event: DeviceEvent, seconds: string): string | undefined {
  const object = eventObject(event);
  return object === undefined ? undefined : safeJson({ seconds: Number(seconds), ...object }, 0);
}

function timedLine(event: DeviceEvent, seconds: string): string | undefined {
  const line = eventLine(event);
  return line === undefined ? undefined : visible(`${seconds.padStart(8)} s  ${line}`);
}
