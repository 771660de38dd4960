import { afterEach, expect, test } from "bun:test";
import { KiB, MiB } from "../base/limits/units.ts";
import { until } from "../testing/harness/until.ts";
import { type SlotOwner, Writer } from "./writer.ts";

const slow = new URL("../testing/mocks/slow-worker.ts", import.meta.url);
const writers: Writer[] = [];

afterEach(async () => {
  await Promise.all(writers.splice(0).map((writer) => writer.close()));
});

function startWriter(): Writer {
  const writer = new Writer({ entry: slow, cacheDir: "", count: 1, onLost: () => {} }, 0);
  writers.push(writer);
  return writer;
}

const frame = new Uint8Array(64 * KiB);
const framesOfTurn = 8;

/** A sender whose socket delivers half a megabyte in each turn of the event loop, unless it is paused. */
class Sender implements SlotOwner {
  readonly canBeHeld: boolean;
  readonly sender = "";
  readonly slot: number;
  readonly #writer: Writer;
  leftFrames: number;
  paused = false;
  holds = 0;
  rooms = 0;
  /** Frames that found no room, and the bytes of the first one that fitted. */
  backlog = 0;
  #sentBytes = 0;

  constructor(writer: Writer, frames: number, canBeHeld = true) {
    this.#writer = writer;
    this.leftFrames = frames;
    this.canBeHeld = canBeHeld;
    this.slot = writer.open(this);
  }

  get isDone(): boolean {
    return this.leftFrames === 0 && this.backlog === 0;
  }

  turn(): void {
    if (this.paused) return;
    for (let index = 0; index < framesOfTurn && this.leftFrames > 0; index += 1) {
      this.leftFrames -= 1;
      this.backlog += 1;
      if (this.backlog === 1) this.#send();
    }
  }

  hold(): void {
    this.holds += 1;
    this.paused = true;
  }

  room(): void {
    this.rooms += 1;
    this.#send();
    if (this.backlog === 0) this.paused = false;
  }

  result(): boolean {
    return false;
  }

  lost(): void {}

  #send(): void {
    while (this.backlog > 0) {
      this.#sentBytes += this.#writer.write(1, this.slot, frame, this.#sentBytes);
      if (this.#sentBytes < frame.length) {
        this.paused = true;
        return;
      }
      this.#sentBytes = 0;
      this.backlog -= 1;
    }
  }
}

/** Runs turns of the event loop until all have sent everything. Returns the largest backlog in bytes. */
async function sendAll(senders: Sender[]): Promise<number> {
  let maxBacklogBytes = 0;
  let turning = true;
  const turn = () => {
    for (const sender of senders) sender.turn();
    const backlog = senders.reduce((sum, sender) => sum + sender.backlog, 0);
    maxBacklogBytes = Math.max(maxBacklogBytes, backlog * frame.length);
    if (turning) setImmediate(turn);
  };
  turn();
  await until("everything was sent", 15_000, () => senders.every((sender) => sender.isDone));
  turning = false;
  return maxBacklogBytes;
}

test("a full lane holds all senders before their sockets are read, and little waits in memory", async () => {
  const writer = startWriter();
  const senders = Array.from({ length: 60 }, () => new Sender(writer, 24));
  expect(await sendAll(senders)).toBeLessThanOrEqual(2 * MiB);
});

test("held senders with nothing to send do not block the others", async () => {
  const writer = startWriter();
  const silent = Array.from({ length: 200 }, () => new Sender(writer, 0));
  const senders = [new Sender(writer, 200), new Sender(writer, 200)];
  await sendAll([...silent, ...senders]);
  await until("the silent ones are resumed", 5000, () => silent.every((sender) => !sender.paused));
  expect(silent.every((sender) => sender.holds > 0 && sender.rooms > 0)).toBe(true);
});

test("a sender that cannot be held is never held, and gets room after a write that did not fit", async () => {
  const writer = startWriter();
  const device = new Sender(writer, 100, false);
  await sendAll([device, ...Array.from({ length: 20 }, () => new Sender(writer, 24))]);
  expect(device.holds).toBe(0);
  expect(device.rooms).toBeGreaterThan(0);
});
