import { afterEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { MiB } from "../base/limits/units.ts";
import { FULL, maxBodyBytes } from "../lane/ring.ts";
import type { Body } from "../lane/messages/streams.ts";
import { until } from "../testing/harness/until.ts";
import { SupervisedThread, type ThreadOwner } from "./supervised-thread.ts";

const echo = new URL("../testing/mocks/echo-worker.ts", import.meta.url);
const open: SupervisedThread[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((thread) => thread.close()));
});

class Collector implements ThreadOwner {
  readonly bodies: Uint8Array[] = [];
  readonly lost: string[] = [];
  rooms = 0;
  onRoomHook = (): void => {};

  onResult(_kind: number, _subject: number, body: Body): void {
    this.bodies.push(body.bytes.slice(body.offset, body.offset + body.length));
  }

  onRoom(): void {
    this.rooms += 1;
    this.onRoomHook();
  }

  onLost(reason: string): void {
    this.lost.push(reason);
  }
}

function startThread(
  owner: ThreadOwner,
  entry = echo,
  taskRingBytes = 4096,
  resultRingBytes = 2048,
): SupervisedThread {
  const thread = new SupervisedThread(
    { entry, name: "echo", start: {}, taskRingBytes, resultRingBytes },
    owner,
  );
  open.push(thread);
  return thread;
}

describe("a lane to a worker", () => {
  test("carries every record there and back, for any sizes and ring capacities, many times round the ring", async () => {
    const exponents = fc.integer({ min: 10, max: 14 });
    const sizes = fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 50 });
    const property = fc.asyncProperty(exponents, exponents, sizes, async (taskBits, resultBits, sizes) => {
      const owner = new Collector();
      const thread = startThread(owner, echo, 2 ** taskBits, 2 ** resultBits);
      const maxBytes = Math.min(maxBodyBytes(2 ** taskBits), maxBodyBytes(2 ** resultBits));
      const bodies = Array.from({ length: 400 }, (_, index) => {
        const size = Math.min(maxBytes, sizes[index % sizes.length]!);
        return new Uint8Array(size).fill(index & 255);
      });
      for (const body of bodies) thread.lane.send(1, 1, body);
      await until("every record came back", 5000, () => owner.bodies.length === bodies.length);
      expect(owner.bodies).toEqual(bodies);
      await thread.close();
    });
    await fc.assert(property, { numRuns: 15 });
  });

  test("calls onRoom each time it was full and has room again, while results come and go", async () => {
    const owner = new Collector();
    const thread = startThread(owner);
    const total = 50_000;
    let sent = 0;
    const fill = () => {
      while (sent < total) {
        const at = thread.lane.reserve(1, sent, 300);
        if (at === FULL) return;
        thread.lane.bytes.fill(sent & 255, at, at + 300);
        sent += 1;
      }
    };
    owner.onRoomHook = fill;
    fill();
    await until("all records came back", 10_000, () => owner.bodies.length === total);
    expect(owner.rooms).toBeGreaterThan(10);
    expect(owner.bodies.every((body, index) => body[0] === (index & 255))).toBe(true);
  });

  test("publishes no task before its body is written, however many bytes wait", async () => {
    const owner = new Collector();
    const thread = startThread(owner, echo, 4 * MiB, 4 * MiB);
    for (let index = 1; index <= 16; index += 1) {
      const at = thread.lane.reserve(1, index, 65536);
      const later = performance.now() + 2;
      while (performance.now() < later);
      thread.lane.bytes.fill(index, at, at + 65536);
    }
    await until("16 records came back", 5000, () => owner.bodies.length === 16);
    owner.bodies.forEach((body, index) => expect(body.every((byte) => byte === index + 1)).toBe(true));
  });

  test("finishes its tasks before it ends", async () => {
    const owner = new Collector();
    const thread = startThread(owner, echo, 65536, 65536);
    for (let index = 0; index < 100; index += 1) thread.lane.send(1, index, new Uint8Array(100));
    await thread.close();
    expect(owner.bodies.length).toBe(100);
    expect(owner.lost).toEqual([]);
  });

  test("notifies its owner when the thread dies, and why", async () => {
    const owner = new Collector();
    const entry = new URL(`data:text/javascript,self.onmessage=()=>{throw new Error("out of luck")}`);
    startThread(owner, entry);
    await until("the owner knew of the loss", 5000, () => owner.lost.length > 0);
    expect(owner.lost[0]).toContain("out of luck");
  });
});
