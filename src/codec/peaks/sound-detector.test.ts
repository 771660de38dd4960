import { describe, expect, test } from "bun:test";
import { type SoundChange, SoundDetector } from "./sound-detector.ts";

/** Feeds blocks of 100 ms from 1000 on: "x" is sound, "." silence, "!" sound that clips. */
function changesOf(blocks: string, silenceMs = 300): SoundChange[] {
  const changes: SoundChange[] = [];
  const detector = new SoundDetector({ dbfs: -50, silenceMs }, (change) => void changes.push(change));
  [...blocks].forEach((block, at) => {
    const meanSquare = block === "." ? 10_737 : 10_738;
    const level = { peak: 0, meanSquare, clipped: block === "!" ? 3 : 0 };
    detector.push(level, 1000 + at * 100, 100);
    expect(detector.end).toBe(1100 + at * 100);
  });
  return changes;
}

const sound = (at: number): SoundChange => ({ kind: "sound", at });
const silence = (at: number): SoundChange => ({ kind: "silence", at });

describe("the detector of sound", () => {
  test("hears sound in the first block that reaches the threshold", () => {
    expect(changesOf("..x..x")).toEqual([sound(1200)]);
    expect(changesOf("x")).toEqual([sound(1000)]);
  });

  test("dates silence back to its first block, once it has lasted long enough", () => {
    expect(changesOf("...")).toEqual([silence(1000)]);
    expect(changesOf("x..")).toEqual([sound(1000)]);
    expect(changesOf("x...x....")).toEqual([sound(1000), silence(1100), sound(1400), silence(1500)]);
    expect(changesOf("x..x...")).toEqual([sound(1000), silence(1400)]);
  });

  test("reports clipping once in ten seconds", () => {
    const clipping = changesOf("!".repeat(250)).filter(({ kind }) => kind === "clipping");
    expect(clipping.map(({ at }) => at)).toEqual([1000, 11_000, 21_000]);
  });
});
