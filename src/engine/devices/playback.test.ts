import { beforeEach, describe, expect, test } from "bun:test";
import { stallTimeoutMs } from "../../base/limits/connections.ts";
import { deviceAudioWaitMs } from "../../base/limits/devices.ts";
import { WavecacheError } from "../../base/errors.ts";
import { FakeSounds } from "../../testing/harness/servers/device-gateway.ts";
import type { AudioSink, SoundPacket } from "./device-streams.ts";
import { Playback } from "./playback.ts";
import type { Ticks } from "../../base/ticker.ts";

const stepMs = 10;

/** A clock that only the test advances. */
class ManualTicks implements Ticks {
  readonly tasks = new Set<() => void>();
  #now = 1_000_000;

  now(): number {
    return this.#now;
  }

  add(task: () => void): void {
    this.tasks.add(task);
  }

  remove(task: () => void): void {
    this.tasks.delete(task);
  }

  /** Advances in steps, like the real clock. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.#now += stepMs;
      for (const task of this.tasks) task();
    }
  }
}

/** Takes `room` packets before it asks for a pause. */
class FakeSink implements AudioSink {
  readonly packets: SoundPacket[] = [];
  room = Number.POSITIVE_INFINITY;
  ended: WavecacheError | undefined;

  send(packet: SoundPacket): boolean {
    this.packets.push(packet);
    this.room -= 1;
    return this.room > 0;
  }

  end(error?: WavecacheError): void {
    this.ended = error;
  }
}

let ticks: ManualTicks;
let sounds: FakeSounds;
let sink: FakeSink;
let ends: (string | undefined)[];

beforeEach(() => {
  ticks = new ManualTicks();
  sounds = new FakeSounds([100]);
  sink = new FakeSink();
  ends = [];
});

function onEnd(error: WavecacheError | undefined): void {
  ends.push(error?.code);
}

const callbacks = { onEnd, onFirstPacket: () => {}, onOver: () => {} };

async function play(leadMs: number, to: FakeSink | "nobody" = sink): Promise<Playback> {
  const playback = new Playback(0, { sounds, ticker: ticks, leadMs, ...callbacks });
  playback.start(to === "nobody" ? undefined : to);
  // The sound opens in a microtask.
  await Bun.sleep(0);
  return playback;
}

const sent = () => sink.packets.length;

describe("a playback", () => {
  test("sends one packet at once without a lead, and one every 20 ms after that", async () => {
    await play(0);
    expect(sent()).toBe(1);
    ticks.pass(20);
    expect(sent()).toBe(2);
    ticks.pass(400);
    expect(sent()).toBe(22);
  });

  test("sends its lead at once, and ends when the last packet has been heard", async () => {
    await play(1000);
    expect(sent()).toBe(51);
    ticks.pass(1980);
    expect(sink.packets.map(({ isEnd }) => isEnd)).not.toContain(true);
    expect(sent()).toBe(100);
    expect(ends).toEqual([]);
    ticks.pass(20);
    expect(sink.packets.at(-1)).toMatchObject({ isStart: false, isEnd: true });
    expect(ends).toEqual([undefined]);
    expect({ sounds: sounds.playing, tasks: ticks.tasks.size }).toEqual({ sounds: 0, tasks: 0 });
  });

  test("waits for a device that has no room, and then sends what is due", async () => {
    const playback = await play(100);
    sink.room = 3;
    ticks.pass(400);
    expect(sent()).toBe(6 + 3);
    sink.room = Number.POSITIVE_INFINITY;
    playback.resume();
    expect(sent()).toBe(6 + 20);
  });

  test("does not send faster than its lead after a long pause", async () => {
    const playback = await play(100);
    sink.room = 1;
    ticks.pass(1500);
    expect(sent()).toBe(7);
    sink.room = Number.POSITIVE_INFINITY;
    playback.resume();
    expect(sent()).toBe(7 + 6);
    ticks.pass(200);
    expect(sent()).toBe(7 + 6 + 10);
  });

  test("ends if the device takes nothing for a minute", async () => {
    await play(100);
    sink.room = 1;
    ticks.pass(stallTimeoutMs);
    expect(ends).toEqual([]);
    ticks.pass(100);
    expect(ends).toEqual(["PEER_STALLED"]);
    expect(sink.ended?.code).toBe("PEER_STALLED");
    expect({ sounds: sounds.playing, tasks: ticks.tasks.size }).toEqual({ sounds: 0, tasks: 0 });
  });

  test("waits for the audio stream, but not forever", async () => {
    const patient = await play(100, "nobody");
    ticks.pass(deviceAudioWaitMs - 100);
    patient.attach(sink);
    expect(sent()).toBe(6);
    patient.stop();
    await play(100, "nobody");
    ticks.pass(deviceAudioWaitMs + 100);
    expect(ends).toEqual(["DEVICE_AWAY"]);
    expect(sounds.playing).toBe(0);
  });

  test("ends with an end packet when it is stopped, and without one when the stream is gone", async () => {
    const stopped = await play(100);
    stopped.stop();
    stopped.stop();
    expect(sent()).toBe(7);
    expect(sink.packets.at(-1)!.isEnd).toBe(true);
    const dropped = await play(100);
    dropped.drop();
    expect(sent()).toBe(13);
    expect(ends).toEqual([]);
    expect({ sounds: sounds.playing, tasks: ticks.tasks.size }).toEqual({ sounds: 0, tasks: 0 });
  });

  test("releases a sound that opens after the stop", async () => {
    const playback = new Playback(0, { sounds, ticker: ticks, leadMs: 0, ...callbacks });
    playback.start(sink);
    playback.stop();
    await Bun.sleep(0);
    expect({ sent: sent(), sounds: sounds.playing, opened: sounds.opened }).toEqual({
      sent: 0,
      sounds: 0,
      opened: 1,
    });
  });

  test("has begun with its first packet, whether or not anybody hears it", async () => {
    expect(await (await play(0)).begun).toBeUndefined();
    expect(await (await play(0, "nobody")).begun).toBeUndefined();
    const stopped = new Playback(0, { sounds, ticker: ticks, leadMs: 0, ...callbacks });
    stopped.start(sink);
    stopped.stop();
    expect(await stopped.begun).toBeUndefined();
  });

  test("tells why it cannot begin", async () => {
    const unreadable = new WavecacheError("SOUND_UNREADABLE", "startup.wav");
    const failing = {
      open: () =>
        Promise.resolve({
          packets: [],
          isComplete: false,
          waitBeyond: () => Promise.reject(unreadable),
          release: () => undefined,
        }),
    };
    const playback = new Playback(0, { sounds: failing, ticker: ticks, leadMs: 0, ...callbacks });
    playback.start(sink);
    expect(await playback.begun).toBe(unreadable);
    expect(ends).toEqual(["SOUND_UNREADABLE"]);
  });
});
