import { describe, expect, test } from "bun:test";
import type { Placement } from "../../../src/base/recording-entry.ts";
import { SessionClock } from "./session-clock.ts";

const rate = 16_000;
const frame = 320;
const frameMs = 20;
const wallMs = Date.UTC(2026, 0, 1);

/** Sends frames to a clock, and closes a segment where it is asked to. */
class Sender {
  readonly clock = new SessionClock({ connection: "c", run: "r", sampleRate: rate, deviceTimeMs: 5 });
  readonly placements: Placement[] = [];
  #samples = 0;

  /** A segment of frames, the first of which arrives at `startMs`, and each `stepMs` after the one before. */
  segment(startMs: number, frames: number, stepMs = frameMs, losses: Record<number, number> = {}): void {
    this.clock.open(startMs, wallMs + startMs);
    this.#samples = 0;
    for (let index = 0; index < frames; index++) {
      const nowMs = startMs + index * stepMs;
      const lost = losses[index];
      if (lost !== undefined) this.clock.lose(this.#samples, lost, nowMs);
      this.clock.heard(this.#samples, nowMs);
      this.#samples += frame;
    }
    this.placements.push(this.clock.close(this.#samples));
  }
}

const summaryOf = ({ placements }: Sender) =>
  placements.map(({ session, sessionStartUs, position }) => [
    session,
    sessionStartUs / 1000 - wallMs,
    position,
  ]);

describe("the clock of a connection", () => {
  test("places segments one after the other, whatever the jitter of their arrival", () => {
    const sender = new Sender();
    sender.segment(100, 50);
    sender.segment(1_350, 50, 15);
    sender.segment(2_060, 50);
    expect(summaryOf(sender)).toEqual([
      ["c.0", 100, 0],
      ["c.0", 100, 50 * frame],
      ["c.0", 100, 100 * frame],
    ]);
    expect(sender.placements[0]).toMatchObject({ run: "r", deviceTimeMs: 5, losses: [] });
  });

  test("does not know the session of late audio before ten seconds, or before it is on time", () => {
    const sender = new Sender();
    sender.segment(0, 50);
    const { clock } = sender;
    expect(clock.knownUntilUs(0)).toBe((wallMs + 1_000) * 1000);
    clock.open(6_000, wallMs + 6_000);
    clock.heard(0, 6_000);
    expect([clock.current, clock.knownUntilUs(frame)]).toEqual([undefined, (wallMs + 1_000) * 1000]);
    clock.heard(9_980 * 16, 15_980);
    expect(clock.current).toBeUndefined();
    clock.heard(10_000 * 16, 16_000);
    expect(clock.current).toMatchObject({ session: "c.1", sessionStartUs: (wallMs + 6_000) * 1000 });
    expect(clock.knownUntilUs(10_020 * 16)).toBe((wallMs + 16_020) * 1000);
    expect(clock.close(10_020 * 16)).toMatchObject({ session: "c.1", position: 0 });
    clock.open(16_500, wallMs + 16_500);
    clock.heard(0, 20_000);
    clock.heard(frame, 16_060);
    expect(clock.current).toMatchObject({ session: "c.1", position: 10_020 * 16 });
  });

  test("begins another session after a pause, when its audio arrived", () => {
    const sender = new Sender();
    sender.segment(0, 50);
    sender.segment(6_000, 50);
    sender.segment(7_000, 50);
    expect(summaryOf(sender)).toEqual([
      ["c.0", 0, 0],
      ["c.1", 6_000, 0],
      ["c.1", 6_000, 50 * frame],
    ]);
  });

  test("knows at its first frame where a segment lies whose delay is not caught up on", () => {
    const sender = new Sender();
    sender.clock.open(0, wallMs);
    expect(sender.clock.latePlacement).toBeUndefined();
    sender.segment(0, 50);
    sender.clock.open(3_000, wallMs + 3_000);
    expect(sender.clock.latePlacement).toBeUndefined();
    sender.clock.open(6_000, wallMs + 6_000);
    const { latePlacement } = sender.clock;
    expect(latePlacement).toMatchObject({ session: "c.1", sessionStartUs: (wallMs + 6_000) * 1000 });
    sender.segment(6_000, 50);
    expect(sender.placements[1]).toEqual(latePlacement!);
  });

  test("continues the session after a delay that the device catches up on", () => {
    const sender = new Sender();
    sender.segment(0, 50);
    sender.segment(6_000, 300, 1);
    expect(summaryOf(sender)[1]).toEqual(["c.0", 0, 50 * frame]);
  });

  test("counts lost frames as time", () => {
    const sender = new Sender();
    sender.segment(0, 50, frameMs, { 10: 3 * frame, 20: frame });
    sender.segment(1_080, 50);
    expect(sender.placements[0]!.losses).toEqual([
      { at: 10 * frame, samples: 3 * frame },
      { at: 20 * frame, samples: frame },
    ]);
    expect(summaryOf(sender)[1]).toEqual(["c.0", 0, 54 * frame]);
  });

  test("counts a loss of more than ten seconds only as far as time has passed", () => {
    const sender = new Sender();
    sender.segment(0, 50, frameMs, { 10: 1e9 });
    expect(sender.placements[0]!.losses).toEqual([{ at: 10 * frame, samples: 10 * rate }]);
    const late = new Sender();
    late.clock.open(0, wallMs);
    late.clock.lose(0, 1e9, 60_000);
    expect(late.clock.close(0).losses).toEqual([{ at: 0, samples: 60 * rate }]);
  });

  test("forgets losses that a failed write has taken out of the files", () => {
    const { clock } = new Sender();
    clock.open(0, wallMs);
    clock.lose(frame, frame, 0);
    clock.lose(3 * frame, frame, 0);
    expect(clock.close(2 * frame).losses).toEqual([{ at: frame, samples: frame }]);
  });

  test("leaves out a device's time that is none", () => {
    for (const deviceTimeMs of [0, 2 ** 60]) {
      const clock = new SessionClock({ connection: "c", run: "r", sampleRate: rate, deviceTimeMs });
      expect(clock.open(0, wallMs).deviceTimeMs).toBeNull();
    }
  });

  test("goes by the monotonic clock while the system's clock is set", () => {
    const sender = new Sender();
    sender.segment(0, 50);
    sender.clock.open(1_000, wallMs + 3_600_000);
    sender.clock.heard(0, 1_000);
    const { sessionStartUs, position } = sender.clock.close(frame);
    expect([sessionStartUs, position]).toEqual([wallMs * 1000, 50 * frame]);
  });
});
