/** The script of `--press`, e.g. `mode,play,wait:1.5,stop`: parsing and running. */
import type { ButtonName, Device } from "../../client/devices/device.ts";
import { pause } from "../../client/transport/retry.ts";
import { usageError } from "../kit/failures.ts";
import type { DeviceConditions } from "./conditions.ts";

export type Step =
  | { kind: "press" | "hold"; button: ButtonName }
  | { kind: "wait"; ms: number }
  /** Waits until the sound of the last Play ends; without a Play, any sound. */
  | { kind: "wait-end" };

const buttonNames = ["connect", "mode", "play", "stop"] as const;
const defaultWaitMs = 1_000;
const maxWaitMs = 3_600_000;
const maxSteps = 1_000;
/** The server sets the LEDs when one of these buttons is pressed. */
const ledButtons: ReadonlySet<ButtonName> = new Set(["mode", "play", "stop"]);

export const scriptHint =
  "steps are mode, play, stop, connect, hold-stop, wait, wait:SECONDS and wait-end, with commas between them";

/** A script that ends with Play also waits for the end of the sound: nobody could hear or save it otherwise. */
export function parseScript(text: string): Step[] {
  const steps = text.split(",").map((step) => parseStep(step.trim()));
  if (steps.length > maxSteps) throw usageError(`--press has more than ${maxSteps} steps`);
  const last = steps.at(-1);
  if (last?.kind === "press" && last.button === "play") steps.push({ kind: "wait-end" });
  return steps;
}

function parseStep(text: string): Step {
  const [, hold, name] = /^(hold-)?([a-z]+)$/.exec(text) ?? [];
  const button = buttonNames.find((each) => each === name);
  if (button !== undefined) return { kind: hold === undefined ? "press" : "hold", button };
  if (text === "wait") return { kind: "wait", ms: defaultWaitMs };
  if (text === "wait-end") return { kind: "wait-end" };
  const seconds = /^wait:(\d{1,6}(?:\.\d{1,3})?)$/.exec(text)?.[1];
  const ms = seconds === undefined ? NaN : Number(seconds) * 1000;
  if (ms <= maxWaitMs) return { kind: "wait", ms };
  throw usageError(`--press has no step "${text}"`, scriptHint);
}

/** Presses for `seconds`, with pauses of 0.3 to 2 s; `random` returns numbers from 0 to below 1. */
export function randomSteps(seconds: number, random: () => number): Step[] {
  const steps: Step[] = [];
  for (let leftMs = seconds * 1_000; leftMs > 0;) {
    const ms = Math.min(leftMs, 300 + Math.floor(random() * 1_700));
    leftMs -= ms;
    steps.push({ kind: "wait", ms }, { kind: "press", button: randomButton(random()) });
  }
  return steps;
}

/** Two of five change the mode, two play, one stops. */
function randomButton(random: number): ButtonName {
  if (random < 0.4) return "mode";
  return random < 0.8 ? "play" : "stop";
}

/** Runs the steps in order; throws if the server does not respond to one as it should. */
export async function runScript(
  device: Device,
  conditions: DeviceConditions,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<void> {
  await conditions.connected();
  await conditions.ledsSet(0);
  let soundsBefore = device.endedSound;
  for (const step of steps) {
    signal.throwIfAborted();
    switch (step.kind) {
      case "wait":
        await pause(step.ms, signal);
        break;
      case "wait-end":
        await conditions.soundEnded(soundsBefore);
        break;
      default:
        if (step.button === "play") soundsBefore = device.sounds;
        await pushButton(device, conditions, step.button, step.kind === "hold");
    }
  }
}

/** Pushes a button, waits for the acknowledgements, and for the LEDs if the button sets them. */
export async function pushButton(
  device: Device,
  conditions: DeviceConditions,
  button: ButtonName,
  holds: boolean,
): Promise<void> {
  await conditions.connected();
  const setsBefore = device.sets;
  await push(device, button, holds);
  if (ledButtons.has(button)) await conditions.ledsSet(setsBefore);
}

/** Presses a button briefly, or holds it and releases it; waits for the acknowledgements. */
export async function push(device: Device, button: ButtonName, holds: boolean): Promise<void> {
  if (!holds) {
    await device.press(button);
    return;
  }
  await device.hold(button);
  await device.release(button);
}
