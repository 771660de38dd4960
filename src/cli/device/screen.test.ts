import { describe, expect, test } from "bun:test";
import { deviceScreen, type DeviceScreenState, modeIn } from "./screen.ts";

const mode2 = 0xff00ffff;
const playing = 0x00ff00ff;

const state: DeviceScreenState = {
  deviceId: "lamp",
  address: "localhost:50051",
  connection: "connected",
  sinceMs: 1_000,
  connections: 2,
  leds: [0xffffffff, 0, mode2, playing, 0x80402080, 0],
  battery: 98.6,
  sound: { number: 3, startedMs: 10_000, packets: 90, worstLateMs: 0 },
  sounds: 3,
  packets: 250,
  bytes: 40_960,
  latePackets: 1,
  folder: "audio/output",
  player: "played with ffplay",
  log: ["    1.0 s  one", "    2.0 s  two\u001b[2J", "    3.0 s  three"],
};
const nowMs = 11_340;

const shown = (columns: number, rows: number, changes: Partial<DeviceScreenState> = {}) =>
  deviceScreen({ ...state, ...changes }, nowMs, { columns, rows }, false);

describe("the screen of a device", () => {
  test("has LEDs, state, recent events, and the keys in the last line", () => {
    expect(shown(80, 19)).toEqual([
      "Device lamp at localhost:50051",
      "connected for 10 s, connection 2",
      "",
      "led_0 (-)  led_1      led_2      led_3      led_4      led_5",
      ".........  .........  #########  #########  #########  .........",
      "#FFFFFFFF  #00000000  #FF00FFFF  #00FF00FF  #80402080  #00000000",
      "",
      "Mode      2",
      "Playing   sound 3 for 1.3 s, 90 packets",
      "Received  3 sounds, 250 packets (1 late), 40.00 KiB",
      "Battery   99 %",
      "Sounds    to audio/output, played with ffplay",
      "",
      "    1.0 s  one",
      "    2.0 s  two\\x1b[2J",
      "    3.0 s  three",
      "",
      "",
      "c connect   m mode   p play   s stop   S hold stop   q quit",
    ]);
  });

  test("shows LEDs in their colors, darkened by their alpha, and never led_0", () => {
    const blocks = deviceScreen(state, nowMs, { columns: 80, rows: 24 }, true)[4]!;
    expect(blocks).toContain("\u001b[48;2;255;0;255m         \u001b[0m");
    expect(blocks).toContain("\u001b[48;2;0;255;0m         \u001b[0m");
    expect(blocks).toContain("\u001b[48;2;64;32;16m         \u001b[0m");
    expect(blocks).not.toContain("48;2;255;255;255");
  });

  test("fits any screen size: no line is wider, no rows exceed it, and the keys stay visible", () => {
    for (const columns of [1, 8, 23, 40, 79, 200]) {
      for (const rows of [1, 2, 5, 12, 24, 60]) {
        const lines = deviceScreen(state, nowMs, { columns, rows }, true);
        expect(lines.length).toBeLessThanOrEqual(rows);
        for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns);
        expect("q quit".startsWith(lines.at(-1)!.slice(-6)) || lines.at(-1)!.endsWith("q quit")).toBe(true);
      }
    }
    expect(shown(24, 30).slice(3, 6)).toEqual([
      "led_0 (-)  led_1",
      ".........  .........",
      "#FFFFFFFF  #00000000",
    ]);
  });

  test("keeps the newest events if there is little room", () => {
    const lines = shown(80, 17);
    expect(lines).toContain("    3.0 s  three");
    expect(lines).not.toContain("    1.0 s  one");
    expect(shown(80, 19, { sound: undefined, log: [] })).toContain("Playing   nothing");
  });
});

test.each([
  [[0, 0, 0, 0, 0, 0], 0],
  [[0, 0, 0, 0, mode2, 0], 4],
  [[0, playing, 0, 0, mode2, 0], 4],
  [[0, 0, playing, 0, 0, 0], 2],
  [[playing, 0, 0, 0, 0, 0], 0],
  [Array.from({ length: 6 }, () => 0xffffffff), undefined],
] as const)("LEDs %j show mode %p", (leds, mode) => {
  expect(modeIn([leds[0]!, leds[1]!, leds[2]!, leds[3]!, leds[4]!, leds[5]!])).toBe(mode);
});
