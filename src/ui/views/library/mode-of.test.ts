import { expect, test } from "bun:test";
import { modeOf } from "./mode-of.ts";

test.each([
  ["mode_1.wav", "Mode 1 of devices"],
  ["mode_5.mp3", "Mode 5 of devices"],
  ["startup.opus", "Start-up sound of devices"],
  ["startup_mode.wav", "Start-up sound of devices"],
  ["mode_6.wav", undefined],
  ["album/mode_1.wav", undefined],
  ["song.mp3", undefined],
])("%p is %p", (name, mode) => {
  expect(modeOf(name)).toBe(mode);
});
