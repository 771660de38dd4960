/**
 * What a device is doing and what its buttons do to that; nothing here waits or knows of streams.
 *
 * Modes go 0, 1, ... 5, 1, ...; led_1 to led_5 stand for the modes of their number. The LED of the mode is on; while a
 * sound plays the LED of that sound's mode is on in another color, beside the one of a mode that was chosen meanwhile.
 * Mode 0 has led_0, which devices do not show.
 */
import { type ButtonEvent, buttonEvents, buttons, type Leds } from "../../wire/devices.ts";

export const lastMode = 5;

export interface DeviceState {
  /** 0 to 5: what Play plays next. */
  readonly mode: number;
  /** The mode whose sound plays, or waits for the device to listen; undefined while idle. */
  readonly playing: number | undefined;
}

/** What somebody wants of a device. */
export type DeviceAction = "mode" | "play" | "stop";

/** What a press means: `none` is answered and nothing else, `unknown` is none too, but worth a line in the log. */
export type Press = DeviceAction | "none" | "unknown";

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

/** Stop held down resets the device, which is what pressing it does; the others mean nothing for longer. */
export function meaningOf({ button_id, event }: ButtonEvent): Press {
  const press = presses[button_id];
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

/** The state after an action. A sound that plays ends by `play`, which begins the mode's own, and by `stop`. */
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
