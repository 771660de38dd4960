import { describe, expect, test } from "bun:test";
import { MessageProgress } from "./message-progress.ts";

/** Observes the counts of bytes one second after the other, and returns for how long a message is unfinished. */
function unfinishedAfter(progress: MessageProgress, ...bytes: number[]): number {
  bytes.forEach((received, second) => progress.observe(received, second * 1000));
  return progress.unfinishedMs(bytes.length * 1000 - 1000);
}

describe("the progress of a message", () => {
  test("is unfinished from the first bytes without a complete message, also when no more come", () => {
    expect(unfinishedAfter(new MessageProgress(), 500, 500, 510, 520, 520)).toBe(2000);
  });

  test("is finished while nothing arrives after a message", () => {
    expect(unfinishedAfter(new MessageProgress(), 500, 500, 500)).toBe(0);
  });

  test("starts anew with every complete message", () => {
    const progress = new MessageProgress();
    expect(unfinishedAfter(progress, 500, 600, 700)).toBe(1000);
    progress.messages += 1;
    progress.observe(800, 3000);
    expect(progress.unfinishedMs(9000)).toBe(0);
  });

  test("does not count control frames, nor what waits while the server does not read", () => {
    const progress = new MessageProgress();
    progress.observe(500, 0);
    progress.receivedControlFrame();
    progress.observe(631, 1000);
    expect(progress.unfinishedMs(9000)).toBe(0);
    progress.isPaused = true;
    progress.observe(100_000, 2000);
    progress.isPaused = false;
    progress.observe(100_000, 3000);
    expect(progress.unfinishedMs(9000)).toBe(0);
  });
});
