import { expect, test } from "bun:test";
import { ledColor } from "./led-color.ts";

test.each([
  ["#00000000", "off"],
  ["#00FF0000", "off"],
  ["#000000FF", "off"],
  ["#00FF00FF", "green"],
  ["#006400FF", "green"],
  ["#FF0000FF", "red"],
  ["#0000FFFF", "blue"],
  ["#FFFFFF80", "white"],
])("an LED of %s is %s", (rgba, name) => {
  expect(ledColor(rgba).name).toBe(name);
});

test("an LED that shines has its true color", () => {
  expect(ledColor("#12AB34FF").color).toBe("#12AB34FF");
  expect(ledColor("#00000000").color).toBeUndefined();
});
