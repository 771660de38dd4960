import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeDeviceAnswer,
  decodeDeviceCommand,
  type DeviceAnswer,
  encodeDeviceAnswer,
  encodeDeviceCommand,
} from "./devices.ts";

const bytesOf = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test("commands to devices, and their answers, arrive as they were sent", () => {
  const command = { op: "useButton", button: "stop", event: "hold" } as const;
  expect(decodeDeviceCommand(encodeDeviceCommand(command))).toEqual(command);
  const answer: DeviceAnswer = {
    node: "a",
    device: {
      deviceId: "board",
      connectedAt: null,
      createdAt: 1,
      seenAt: 2,
      mode: 5,
      playing: 0,
      leds: [0, 1, 2, 3, 4, 0xffffffff],
      report: { leds: [1], pressed: [true], battery: null, at: 3 },
      held: [true, false],
    },
  };
  expect(decodeDeviceAnswer(encodeDeviceAnswer(answer))).toEqual(answer);
  expect(decodeDeviceAnswer(encodeDeviceAnswer({ error: "DEVICE_AWAY" }))).toEqual({ error: "DEVICE_AWAY" });
});

test("other bytes, and commands that nobody knows, are undefined", () => {
  for (const value of [{ op: "setMode", mode: 6 }, { op: "format" }, { op: "act", action: "play" }, null])
    expect(decodeDeviceCommand(bytesOf(value))).toBeUndefined();
  expect(decodeDeviceAnswer(bytesOf({ device: { deviceId: "board" } }))).toBeUndefined();
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.json().map(bytesOf)), (message) => {
      for (const decode of [decodeDeviceCommand, decodeDeviceAnswer]) decode(message);
    }),
  );
});
