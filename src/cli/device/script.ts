/** What `--press` says a device is to do: `mode,play,wait:1.5,stop`. */
import type { ButtonName, Device } from "../../client/devices/device.ts";
import { pause } from "../../client/transport/retry.ts";
import type { DeviceConditions } from "./watch.ts";
import { usageError } from "../kit/failures.ts";

export type Step =
  | { kind: "press" | "hold"; button: ButtonName }
  | { kind: "wait"; ms: number }
  /** Until the sound of the last Play is over; without one, any sound. */
  | { kind: "wait-end" };

const buttonNames = ["connect", "mode", "play", "stop"] as const;
const defaultWaitMs = 1_000;
const maxWaitMs = 3_600_000;
const maxSteps = 1_000;
/** Buttons to which a server answers with LEDs too. */
const changesLeds: ReadonlySet<ButtonName> = new Set(["mode", "play", "stop"]);

export const scriptHint =
  "steps are mode, play, stop, connect, hold-stop, wait, wait:SECONDS and wait-end, with commas between them";

export function parseScript(text: string): Step[] {
  const steps = text.split(",").map((step) => parseStep(step.trim()));
  if (steps.length > maxSteps) throw usageError(`--press has more than ${maxSteps} steps`);
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

/** Presses with pauses of 0.3 to 2 s between them, for about so many seconds; `random` is from 0 to 1. */
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

/** Does the steps one after the other; throws when one of them is not answered as it should be. */
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

/** Presses a button and lets go of it, each acknowledged, and waits for the LEDs where some must come. */
export async function pushButton(
  device: Device,
  conditions: DeviceConditions,
  button: ButtonName,
  holds: boolean,
): Promise<void> {
  await conditions.connected();
  const setsBefore = device.sets;
  await device.press(button);
  if (holds) await device.hold(button);
  await device.release(button);
  if (changesLeds.has(button)) await conditions.ledsSet(setsBefore);
}
