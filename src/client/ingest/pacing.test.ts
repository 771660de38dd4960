import { describe, expect, test } from "bun:test";
import { FakeSocket, quickRetry } from "../../testing/fixtures/client.ts";
import { trackOf } from "../../testing/fixtures/ingest.ts";
import { melody } from "../../testing/fixtures/wav.ts";
import { bunPlatform } from "../transport/bun.ts";
import { IngestStream } from "./stream.ts";
import { type Clock, FrameSchedule } from "./pacing.ts";

/** A clock that advances only in `wait`, and then a little more than requested. */
class FakeClock implements Clock {
  nowMs = 5_000;
  readonly #overshootMs: number;

  constructor(overshootMs: number) {
    this.#overshootMs = overshootMs;
  }

  now(): number {
    return this.nowMs;
  }

  wait(ms: number): Promise<void> {
    this.nowMs += ms + this.#overshootMs;
    return Promise.resolve();
  }
}

/** When each frame was sent, relative to the first; `stall` advances the clock while a frame is sent. */
async function sendTimes(clock: FakeClock, frames: number, stall: (frame: number) => number = () => 0) {
  const times: number[] = [];
  const socket = new FakeSocket((_, data) => {
    if (data.length === 32) return;
    times.push(clock.now());
    clock.nowMs += stall(times.length - 1);
  });
  const platform = { openSocket: () => socket, newDigest: bunPlatform.newDigest };
  const track = await trackOf(melody(frames * 320, 1), 1);
  const stream = new IngestStream({ platform, url: "ws://fake/", track, streamId: 1, realtime: true, clock });
  const running = stream.run();
  socket.fire("open");
  await running;
  return { times: times.map((ms) => ms - (times[0] ?? 0)), stream };
}

describe("in real time", () => {
  test("frames leave when they are due, and delays of timers do not accumulate", async () => {
    const { times, stream } = await sendTimes(new FakeClock(3), 1_000);
    expect(times.slice(0, 4)).toEqual([0, 23, 43, 63]);
    expect(times.at(-1)).toBe(999 * 20 + 3);
    expect(stream.maxLagMs).toBe(3);
  });

  test("frames that a stall has delayed are sent at once, and later ones are on time", async () => {
    const { times, stream } = await sendTimes(new FakeClock(0), 30, (frame) => (frame === 4 ? 105 : 0));
    expect(times.slice(4, 12)).toEqual([80, 185, 185, 185, 185, 185, 200, 220]);
    expect(stream.maxLagMs).toBe(85);
  });
});

test("the schedule continues across a lost connection, and due frames are sent at once", async () => {
  const clock = new FakeClock(0);
  const times: number[] = [];
  const sockets: FakeSocket[] = [];
  const openSocket = () => {
    const socket = new FakeSocket((self, data) => {
      if (data.length === 32) return;
      times.push(clock.now() - 5_000);
      if (sockets.length > 1 || times.length < 3) return;
      clock.nowMs += 70;
      self.fire("close", { code: 1006, reason: "" });
    });
    sockets.push(socket);
    setTimeout(() => socket.fire("open"));
    return socket;
  };
  const platform = { openSocket, newDigest: bunPlatform.newDigest };
  const track = await trackOf(melody(8 * 320, 1), 1);
  const options = { url: "ws://fake/", track, streamId: 1, realtime: true, clock, retry: quickRetry };
  await new IngestStream({ platform, ...options }).run();
  expect(times).toEqual([0, 20, 40, 110, 110, 110, 120, 140]);
});

test("a schedule stays exact over days if a frame is not a whole number of milliseconds", () => {
  const schedule = new FrameSchedule(1_000, 441, 22_050.5);
  const dayOfFrames = 4_320_000;
  expect(schedule.dueMs(dayOfFrames)).toBeCloseTo(1_000 + (dayOfFrames * 441_000) / 22_050.5, 3);
  expect(schedule.lagMs(10, 1_000)).toBe(0);
  expect(schedule.lagMs(0, 1_250)).toBe(250);
});
