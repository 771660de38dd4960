import { describe, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import { noTracer } from "../../base/tracing/tracer.ts";
import { openLog } from "../../base/log/log.ts";
import type { StartedSegment } from "../../base/recording-entry.ts";
import type { RecordingSpec } from "../../lane/messages/recordings.ts";
import type { RecordingSlot } from "../../pool/recording-slot.ts";
import { placementOf } from "../../testing/fixtures/placement.ts";
import { Recording, type RecordingHost } from "./recording.ts";

const spec: RecordingSpec = {
  handshake: { streamId: 7, sampleRate: 16_000, channels: 1, codec: 0, frameSamples: 320, timestampMs: 0 },
  hwid: "mic",
  folder: "x",
  rotateMs: 1000,
  nibbles: null,
  fillGaps: false,
  threshold: { dbfs: -50, silenceMs: 2000 },
  connection: "c",
  run: "r",
  clockAheadMs: 0,
};
const started = (name: string): StartedSegment => ({
  name,
  placement: placementOf("c.0"),
  frameSamples: 320,
  fillGaps: false,
});
const message = (number: number) => Uint8Array.of(number);

/** A writer, an owner and a host in one. `room` is the number of messages that fit the lane. */
class Stage {
  readonly said: string[] = [];
  room = Infinity;
  leftBytes = Infinity;
  released: string[] | undefined;
  readonly recording: Recording;

  constructor() {
    const slot: Pick<RecordingSlot, "write" | "listen" | "close"> = {
      write: (bytes) => {
        if (this.room-- <= 0) return false;
        this.said.push(`write ${bytes[0]}`);
        return true;
      },
      listen: (wanted) => void this.said.push(`listen ${wanted}`),
      close: () => void this.said.push("close"),
    };
    const host: RecordingHost = {
      log: openLog("test"),
      tracer: noTracer,
      openSlot: () => slot as RecordingSlot,
      countSkippedLive: () => {},
      encodeLive: () => ({ push: () => true, close: () => {} }),
      addSegment: () => {},
      refuseWrite: (_, bytes) => {
        this.leftBytes -= bytes;
        return this.leftBytes < 0 ? new WavecacheError("TOKEN_LIMIT_REACHED") : undefined;
      },
      noteSound: () => {},
      addStarted: () => {},
      release: (_, unfinished) => void (this.released = unfinished),
    };
    const owner = {
      recordingHasRoom: () => void this.said.push("room"),
      recordingFailed: (error: WavecacheError) => void this.said.push(`failed ${error.code}`),
    };
    this.recording = new Recording(spec, owner, host);
  }
}

describe("a recording", () => {
  test("keeps the order of its frames while the lane is full, and then resumes its sender", () => {
    const stage = new Stage();
    stage.room = 1;
    expect([1, 2, 3].map((number) => stage.recording.write(message(number)))).toEqual([true, false, false]);
    stage.room = 1;
    stage.recording.room();
    stage.room = 1;
    expect(stage.recording.write(message(4))).toBe(false);
    stage.room = 10;
    stage.recording.room();
    expect(stage.said).toEqual(["write 1", "write 2", "write 3", "write 4", "room"]);
  });

  test("writes queued frames before it ends, and accepts no more", async () => {
    const stage = new Stage();
    stage.room = 0;
    stage.recording.write(message(1));
    stage.recording.end();
    stage.recording.end();
    expect(stage.said).toEqual([]);
    stage.room = 10;
    stage.recording.room();
    expect(stage.recording.write(message(2))).toBe(true);
    stage.recording.closed();
    await stage.recording.over;
    expect(stage.said).toEqual(["write 1", "close"]);
  });

  test("that the server ends keeps its frames, and tells its owner, whose device may go on elsewhere", () => {
    const stage = new Stage();
    stage.room = 1;
    stage.recording.write(message(1));
    stage.recording.write(message(2));
    stage.recording.shutDown();
    stage.recording.write(message(3));
    stage.room = 10;
    stage.recording.room();
    expect(stage.said).toEqual(["write 1", "failed SHUTTING_DOWN", "write 2", "close"]);
    stage.recording.shutDown();
    expect(stage.said).toHaveLength(4);
  });

  test("that fails tells its owner once, and releases its unfinished segments", async () => {
    const stage = new Stage();
    stage.recording.started(started("a"));
    stage.recording.started(started("b"));
    stage.recording.failed(new WavecacheError("DISK_FULL"));
    stage.recording.failed(new WavecacheError("STORE_FAILED"));
    stage.recording.end();
    stage.recording.write(message(1));
    stage.recording.closed();
    await stage.recording.over;
    expect(stage.said).toEqual(["failed DISK_FULL", "close"]);
    expect(stage.released).toEqual(["a", "b"]);
  });

  test("of a limited token waits for what that has stored, and ends at the first frame without room", async () => {
    const stage = new Stage();
    const answer = Promise.withResolvers<void>();
    const admitted = stage.recording.admit(answer.promise);
    stage.leftBytes = 2;
    expect(stage.recording.write(message(1))).toBe(false);
    stage.recording.room();
    expect(stage.said).toEqual([]);
    answer.resolve();
    await admitted;
    expect(stage.recording.write(message(2))).toBe(true);
    stage.recording.write(message(3));
    stage.recording.write(message(4));
    expect(stage.said).toEqual(["write 1", "room", "write 2", "close", "failed TOKEN_LIMIT_REACHED"]);
  });

  test("of a token without room writes nothing, also if its device has gone meanwhile", async () => {
    for (const [isGone, said] of [
      [false, ["close", "failed TOKEN_LIMIT_REACHED"]],
      [true, ["close"]],
    ] as const) {
      const stage = new Stage();
      const answer = Promise.withResolvers<void>();
      const admitted = stage.recording.admit(answer.promise);
      stage.recording.write(message(1));
      if (isGone) stage.recording.end();
      answer.reject(new WavecacheError("TOKEN_LIMIT_REACHED"));
      await admitted;
      expect(stage.said).toEqual([...said]);
    }
  });

  test("is over when its writer dies", async () => {
    const stage = new Stage();
    stage.recording.started(started("a"));
    stage.recording.lost(new WavecacheError("WORKER_LOST"));
    await stage.recording.over;
    expect(stage.said).toEqual(["failed WORKER_LOST"]);
    expect(stage.released).toEqual(["a"]);
  });
});
