import { beforeEach, describe, expect, test } from "bun:test";
import { stallTimeoutMs } from "../../base/limits/connections.ts";
import { deviceAudioWaitMs } from "../../base/limits/devices.ts";
import type { WavecacheError } from "../../base/errors.ts";
import { FakeSounds } from "../../testing/harness/servers/device-gateway.ts";
import type { AudioPacket } from "../../wire/devices.ts";
import { type AudioSink, Playback } from "./playback.ts";
import type { Ticks } from "../../base/ticker.ts";

const stepMs = 10;

/** Time that goes on only when a test says so. */
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

  /** In steps, like the real one. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.#now += stepMs;
      for (const task of this.tasks) task();
    }
  }
}

/** Takes so many packets before it wants a pause. */
class FakeSink implements AudioSink {
  readonly packets: AudioPacket[] = [];
  room = Number.POSITIVE_INFINITY;
  ended: WavecacheError | undefined;

  send(packet: AudioPacket): boolean {
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

function ended(error: WavecacheError | undefined): void {
  ends.push(error?.code);
}

async function play(leadMs: number, to: FakeSink | "nobody" = sink): Promise<Playback> {
  const playback = new Playback(0, { sounds, ticker: ticks, leadMs, ended });
  playback.begin(to === "nobody" ? undefined : to);
  // The sound is there at once, but not before what runs now is over.
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
    expect(sink.packets.map(({ is_end }) => is_end)).not.toContain(true);
    expect(sent()).toBe(100);
    expect(ends).toEqual([]);
    ticks.pass(20);
    expect(sink.packets.at(-1)).toMatchObject({ is_start: false, is_end: true });
    expect(ends).toEqual([undefined]);
    expect({ sounds: sounds.playing, tasks: ticks.tasks.size }).toEqual({ sounds: 0, tasks: 0 });
  });

  test("waits for a device that takes no more, and sends what was due when it does", async () => {
    const playback = await play(100);
    sink.room = 3;
    ticks.pass(400);
    expect(sent()).toBe(6 + 3);
    sink.room = Number.POSITIVE_INFINITY;
    playback.drained();
    expect(sent()).toBe(6 + 20);
  });

  test("does not send faster than its lead after it was held up for long", async () => {
    const playback = await play(100);
    sink.room = 1;
    ticks.pass(1500);
    expect(sent()).toBe(7);
    sink.room = Number.POSITIVE_INFINITY;
    playback.drained();
    expect(sent()).toBe(7 + 6);
    ticks.pass(200);
    expect(sent()).toBe(7 + 6 + 10);
  });

  test("gives up a device that takes nothing for a minute", async () => {
    await play(100);
    sink.room = 1;
    ticks.pass(stallTimeoutMs);
    expect(ends).toEqual([]);
    ticks.pass(100);
    expect(ends).toEqual(["PEER_STALLED"]);
    expect(sink.ended?.code).toBe("PEER_STALLED");
    expect({ sounds: sounds.playing, tasks: ticks.tasks.size }).toEqual({ sounds: 0, tasks: 0 });
  });

  test("waits for the audio stream, for a while", async () => {
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

  test("ends with is_end when it is stopped, and without a word when nobody listens any more", async () => {
    const stopped = await play(100);
    stopped.stop();
    stopped.stop();
    expect(sent()).toBe(7);
    expect(sink.packets.at(-1)!.is_end).toBe(true);
    const dropped = await play(100);
    dropped.drop();
    expect(sent()).toBe(13);
    expect(ends).toEqual([]);
    expect({ sounds: sounds.playing, tasks: ticks.tasks.size }).toEqual({ sounds: 0, tasks: 0 });
  });

  test("lets go of a sound that was opened after it was stopped", async () => {
    const playback = new Playback(0, { sounds, ticker: ticks, leadMs: 0, ended: () => undefined });
    playback.begin(sink);
    playback.stop();
    await Bun.sleep(0);
    expect({ sent: sent(), sounds: sounds.playing, opened: sounds.opened }).toEqual({
      sent: 0,
      sounds: 0,
      opened: 1,
    });
  });
});
