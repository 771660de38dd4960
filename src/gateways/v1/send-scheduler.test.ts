import { describe, expect, test } from "bun:test";
import { readAheadBytes } from "../../base/limits/streams.ts";
import { KiB } from "../../base/limits/units.ts";
import { maxUnreadAnswerBytes, streamQuantumBytes, usualDataBytes } from "../../base/limits/v1.ts";
import { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { ReadSink } from "../../pool/reader.ts";
import { SendCredit } from "../../wire/v1/credit.ts";
import { decodeServerMessage } from "../../wire/v1/decode.ts";
import { type AudioSource, SendScheduler } from "./send-scheduler.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Records what is sent. The kernel accepts `accepts` more bytes; the rest is buffered. */
class FakeSocket {
  readonly sent: { channel: number; bytes: number }[] = [];
  readonly offsets: number[] = [];
  accepts = Infinity;
  buffered = 0;

  send(frame: string | Uint8Array): "sent" | "queued" {
    const message = decodeServerMessage(frame as Uint8Array);
    if (message.type === "DATA") {
      this.sent.push({ channel: message.channel, bytes: message.payload.length });
      this.offsets.push(message.offset);
    }
    this.accepts -= frame.length;
    if (this.accepts >= 0) return "sent";
    this.buffered = -this.accepts;
    return "queued";
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  pause(): void {}
  resume(): void {}
  ping(): void {}
  close(): void {}
}

/** Audio in memory, unless `isResident` is false; then the test completes the reads. */
class FakeSource implements AudioSource {
  readonly credit: SendCredit;
  readonly channel: number;
  offset = 0;
  availableBytes: number;
  isResident = true;
  reads: { bytes: number; sink: ReadSink }[] = [];
  failures: unknown[] = [];

  constructor(channel: number, availableBytes: number, credit = 2 ** 30) {
    this.channel = channel;
    this.availableBytes = availableBytes;
    this.credit = new SendCredit(credit);
  }

  peek(bytes: number): Uint8Array | undefined {
    return this.isResident ? new Uint8Array(bytes) : undefined;
  }

  fetch(bytes: number, sink: ReadSink): void {
    this.reads.push({ bytes, sink });
  }

  advance(bytes: number): void {
    this.offset += bytes;
    this.availableBytes -= bytes;
  }

  failed(error: unknown): void {
    this.failures.push(error);
  }
}

function stage({ accepts = Infinity, credit = 2 ** 30, limit = 2 ** 30 } = {}) {
  const socket = new FakeSocket();
  socket.accepts = accepts;
  const budget = new OutboundBudget(limit);
  const stalls: true[] = [];
  const scheduler = new SendScheduler(socket, budget, { stalled: () => void stalls.push(true) });
  scheduler.begin(credit, streamQuantumBytes);
  return { socket, budget, scheduler, stalls };
}

function bytesOf({ sent }: FakeSocket): number {
  return sent.reduce((sum, { bytes }) => sum + bytes, 0);
}

describe("a send scheduler", () => {
  test("serves all channels in turn, and a new short read next, though many long ones wait", async () => {
    const { socket, scheduler } = stage();
    const long = Array.from({ length: 32 }, (_, index) => new FakeSource(index + 1, 2 ** 29));
    for (const source of long) scheduler.wake(source, true);
    const messages = streamQuantumBytes / usualDataBytes;
    while (socket.sent.length < 128 * messages) await turn();
    const quanta = socket.sent.filter((_, at) => at % messages === 0).map(({ channel }) => channel);
    expect(new Set(quanta.slice(64, 96)).size).toBe(32);
    expect(new Set(quanta.slice(96, 128)).size).toBe(32);
    const before = socket.sent.length;
    scheduler.wake(new FakeSource(100, 64 * KiB), true);
    await turn();
    scheduler.close();
    const after = socket.sent.slice(before).map(({ channel }) => channel);
    expect(after.slice(0, 1 + messages)).toContain(100);
  });

  test("gives channels that are always new no more than every other quantum", async () => {
    const { socket, scheduler } = stage({ accepts: 0 });
    const long = new FakeSource(1, 2 ** 30);
    scheduler.wake(long, true);
    const shorts = Array.from({ length: 50 }, (_, index) => new FakeSource(index + 2, 1));
    for (const source of shorts) scheduler.wake(source, true);
    socket.accepts = Infinity;
    scheduler.drained();
    while (socket.sent.length < 50) await turn();
    scheduler.close();
    expect(socket.sent.slice(0, 40).filter(({ channel }) => channel === 1).length).toBeGreaterThan(15);
  });

  test("splits a quantum into messages of the usual size, or of the peer's maximum", () => {
    const { socket, scheduler } = stage();
    scheduler.wake(new FakeSource(1, 2 * usualDataBytes + 5), true);
    expect(socket.sent.map(({ bytes }) => bytes)).toEqual([usualDataBytes, usualDataBytes, 5]);
    const small = stage();
    small.scheduler.begin(2 ** 30, 1000);
    for (const channel of [1, 2]) small.scheduler.wake(new FakeSource(channel, 1500), true);
    expect(small.socket.sent).toEqual([
      { channel: 1, bytes: 1000 },
      { channel: 1, bytes: 500 },
      { channel: 2, bytes: 1000 },
      { channel: 2, bytes: 500 },
    ]);
  });

  test("sets the offset of each message of a quantum", () => {
    const { socket, scheduler } = stage();
    const source = new FakeSource(1, 3 * usualDataBytes);
    source.offset = 1000;
    scheduler.wake(source, true);
    expect(socket.offsets).toEqual([1000, 1000 + usualDataBytes, 1000 + 2 * usualDataBytes]);
  });

  test("sends no more than the credit allows, in a short message at its end", () => {
    const { socket, scheduler } = stage({ credit: 100_000 });
    const one = new FakeSource(1, 2 ** 20, 1000);
    const two = new FakeSource(2, 2 ** 20);
    scheduler.wake(one, true);
    scheduler.wake(two, true);
    expect(socket.sent).toEqual([
      { channel: 1, bytes: 1000 },
      { channel: 2, bytes: usualDataBytes },
      { channel: 2, bytes: 99_000 - usualDataBytes },
    ]);
    one.credit.grant(10);
    scheduler.wake(one, false);
    expect(socket.sent).toHaveLength(3);
    expect(scheduler.grant(15)).toBe(true);
    expect(socket.sent.slice(3).reduce((sum, { bytes }) => sum + bytes, 0)).toBe(15);
    expect(scheduler.grant(2 ** 31)).toBe(false);
  });

  test("sends nothing more while the socket is full, and resumes when it drains", () => {
    const { socket, budget, scheduler } = stage({ accepts: 10 });
    scheduler.wake(new FakeSource(1, 600 * KiB), true);
    expect(bytesOf(socket)).toBe(streamQuantumBytes);
    expect(budget.usedBytes).toBe(streamQuantumBytes);
    socket.accepts = Infinity;
    socket.buffered = 0;
    scheduler.drained();
    expect(bytesOf(socket)).toBe(600 * KiB);
    expect(budget.usedBytes).toBe(0);
  });

  test("limits read-ahead, and returns the credit of a removed source", () => {
    const { socket, budget, scheduler } = stage({ credit: 2 ** 20 });
    const sources = Array.from({ length: 4 }, (_, index) => new FakeSource(index + 1, 2 ** 20, 2 ** 20));
    for (const source of sources) {
      source.isResident = false;
      scheduler.wake(source, true);
    }
    const reading = sources.flatMap(({ reads }) => reads);
    expect(reading.map(({ bytes }) => bytes)).toEqual([streamQuantumBytes, streamQuantumBytes]);
    expect(3 * streamQuantumBytes).toBeGreaterThan(readAheadBytes);
    scheduler.remove(sources[0]!);
    reading[0]!.sink.part(new Uint8Array(reading[0]!.bytes), true);
    expect(socket.sent).toEqual([]);
    expect(sources[0]!.credit.bytes).toBe(2 ** 20);
    reading[1]!.sink.part(new Uint8Array(reading[1]!.bytes), true);
    expect(new Set(socket.sent.map(({ channel }) => channel))).toEqual(new Set([2]));
    expect(bytesOf(socket)).toBe(streamQuantumBytes);
    const failed = sources[2]!;
    failed.reads[0]!.sink.failed({} as never);
    expect(failed.failures).toHaveLength(1);
    expect(failed.credit.bytes).toBe(2 ** 20);
    scheduler.close();
    expect(budget.usedBytes).toBe(0);
  });

  test("waits while all connections together use up the outbound budget", () => {
    const { socket, budget, scheduler } = stage({ limit: 1000 });
    budget.take(1000, () => {});
    scheduler.wake(new FakeSource(1, 500), true);
    expect(socket.sent).toEqual([]);
    budget.release(1000);
    expect(socket.sent).toEqual([{ channel: 1, bytes: 500 }]);
  });

  test("reports a peer that does not read its answers", () => {
    const { socket, scheduler, stalls } = stage({ accepts: 0 });
    scheduler.send({ type: "PONG", nonce: 1 });
    expect(stalls).toEqual([]);
    socket.accepts = -maxUnreadAnswerBytes;
    scheduler.send({ type: "PONG", nonce: 1 });
    expect(stalls).toEqual([true]);
  });
});
