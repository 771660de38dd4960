import { expect, test } from "bun:test";
import { until } from "../../../testing/harness/until.ts";
import { HoldGesture } from "./hold-gesture.ts";

function gesture(holdAfterMs: number, repeatMs = 60_000): { gesture: HoldGesture; sent: string[] } {
  const sent: string[] = [];
  return { gesture: new HoldGesture((event) => void sent.push(event), { holdAfterMs, repeatMs }), sent };
}

test("a short touch is a press", () => {
  const { gesture: button, sent } = gesture(60_000);
  button.begin();
  expect(sent).toEqual([]);
  button.end();
  button.end();
  expect(sent).toEqual(["press"]);
});

test("a long touch holds the button, again and again, until it ends", async () => {
  const { gesture: button, sent } = gesture(5, 5);
  button.begin();
  button.begin();
  await until("repeated holds", 5_000, () => sent.length >= 3);
  button.end();
  expect(new Set(sent.slice(0, -1))).toEqual(new Set(["hold"]));
  expect(sent.at(-1)).toBe("release");
});

test("a touch that is lost releases what it holds, and otherwise has no effect", async () => {
  const short = gesture(60_000);
  short.gesture.begin();
  short.gesture.cancel();
  short.gesture.end();
  expect(short.sent).toEqual([]);
  const long = gesture(5);
  long.gesture.begin();
  await until("the hold", 5_000, () => long.sent.length > 0);
  long.gesture.cancel();
  long.gesture.end();
  expect(long.sent).toEqual(["hold", "release"]);
});
