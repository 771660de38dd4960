/**
 * The state of a device as a value, and the effect of its buttons. Nothing here waits, or knows of streams.
 *
 * The mode button goes through 0, 1, ... 5, 1, ... LED n stands for mode n and is on while that is the mode. While a
 * sound plays, the LED of the sound's mode is on in another color, also after another mode was chosen. Devices do not
 * show LED 0.
 */
import { buttonEvents, buttons, type Leds } from "../../wire/devices.ts";
import type { ButtonEvent } from "./device-streams.ts";

export const lastMode = 5;

export interface DeviceState {
  /** 0 to 5: the sound that Play starts. */
  readonly mode: number;
  /** The mode whose sound plays, or waits for the device's audio stream; undefined while idle. */
  readonly playing: number | undefined;
}

/** An action of a device, by a button or by the HTTP API. */
export type DeviceAction = "mode" | "play" | "stop";

/** The meaning of a button event: `none` has no effect, `unknown` has none either and is logged. */
export type Press = DeviceAction | "none" | "unknown";

export type ButtonName = keyof typeof buttons;
export type ButtonEventName = keyof typeof buttonEvents;

/** In the order of the buttons of a device. */
export const buttonNames: readonly ButtonName[] = ["connect", "mode", "stop", "play"];
const buttonEventNames: readonly ButtonEventName[] = ["press", "hold", "release"];

const modeColor = 0xff00ffff;
const playingColor = 0x00ff00ff;
const white = 0xffffffff;

export const ledsOff: Leds = [0, 0, 0, 0, 0, 0];
export const ledsFlash: Leds = [white, white, white, white, white, white];

const presses: Record<number, Press> = {
  [buttons.connect]: "none",
  [buttons.mode]: "mode",
  [buttons.stop]: "stop",
  [buttons.play]: "play",
};

/** Holding Stop resets the device, as pressing it does. Holding another button has no meaning. */
export function meaningOf({ buttonId, event }: ButtonEvent): Press {
  const press = presses[buttonId];
  if (press === undefined) return "unknown";
  switch (event) {
    case buttonEvents.press:
      return press;
    case buttonEvents.hold:
      return press === "stop" ? "stop" : "none";
    case buttonEvents.release:
      return "none";
    default:
      return "unknown";
  }
}

/** The names of a button and of its event, neither of which is unknown. */
export function namesOf({ buttonId, event }: ButtonEvent): { button: ButtonName; event: ButtonEventName } {
  return { button: buttonNames[buttonId]!, event: buttonEventNames[event]! };
}

/** The event as a device would send it. */
export function eventOf(button: ButtonName, event: ButtonEventName): ButtonEvent {
  return { buttonId: buttons[button], event: buttonEvents[event] };
}

/** Returns the state after an action. `play` and `stop` end the sound that plays; `play` starts the mode's own. */
export function afterAction(state: DeviceState, action: DeviceAction): DeviceState {
  switch (action) {
    case "mode":
      return { ...state, mode: (state.mode % lastMode) + 1 };
    case "play":
      return { ...state, playing: state.mode };
    case "stop":
      return { mode: 0, playing: undefined };
  }
}

export function ledsOf({ mode, playing }: DeviceState): Leds {
  const color = (led: number) => {
    if (led === playing) return playingColor;
    return led === mode && led > 0 ? modeColor : 0;
  };
  return [color(0), color(1), color(2), color(3), color(4), color(5)];
}
