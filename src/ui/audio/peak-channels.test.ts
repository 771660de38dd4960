import { expect, test } from "bun:test";
import { channelsOf } from "./peak-channels.ts";

test("minimum and maximum of each pixel become the lower and the upper edge", () => {
  expect(channelsOf({ channels: 1, data: [-16_384, 8_192, 0, 0] })).toEqual([
    [0.25, 0],
    [0.5, -0],
  ]);
});

test("the channels of a pixel are merged", () => {
  expect(channelsOf({ channels: 2, data: [-8_192, 8_192, -16_384, 16_384] })).toEqual([[0.5], [0.5]]);
});
