import { expect, test } from "bun:test";
import { placeOf } from "./place-of.ts";

test.each([
  ["streams/a b/c", "/streams/a%20b%2Fc"],
  ["recordings/kitchen", "/recordings/kitchen"],
  ["devices/lamp", "/devices"],
  ["storage", "/storage"],
  ["server", undefined],
  ["other/x", undefined],
])("what %p is about is at %p", (subject, place) => {
  expect(placeOf(subject)).toBe(place);
});
