import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { WavecacheError } from "../../base/errors.ts";
import { maxWaitingRequestsPaused } from "../../base/limits/connections.ts";
import { readAheadBytes } from "../../base/limits/streams.ts";
import { OutboundBudget } from "../../engine/streams/outbound-budget.ts";
import type { FileRef, ReadSink } from "../../pool/reader.ts";
import type { Socket } from "../../listen/route.ts";
import { type AnswerControl, Answers, type Planner, type ReadPlan } from "./answers.ts";

const file: FileRef = { path: "x", immutable: true };

/** A read that brings its own plan. */
interface PlannedRead {
  plan(): ReadPlan | Promise<ReadPlan>;
  explain(error: unknown): string;
}

const planner: Planner<PlannedRead> = {
  plan: (read) => read.plan(),
  explain: (read, error) => read.explain(error),
};

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Socket, reader and connection in one: the test decides when reads complete and when the peer reads. */
class Stage implements AnswerControl {
  readonly sent: string[] = [];
  readonly reads: { offset: number; length: number; sink: ReadSink }[] = [];
  readonly outbound: OutboundBudget;
  readonly pauses: boolean[] = [];
  failure: string | undefined;
  peerReads = true;
  isResident = false;
  buffered = 0;
  readonly answers: Answers<PlannedRead>;

  constructor(outboundBytes = 1 << 30) {
    this.outbound = new OutboundBudget(outboundBytes);
    const socket: Socket = {
      send: (message) => {
        this.sent.push(typeof message === "string" ? message : `${message.length} bytes`);
        if (this.peerReads) return "sent";
        this.buffered += message.length;
        return "queued";
      },
      bufferedBytes: () => this.buffered,
      pause: () => {},
      resume: () => {},
      ping: () => {},
      close: () => {},
    };
    const reader = {
      read: (_file: FileRef, offset: number, length: number, sink: ReadSink) =>
        void this.reads.push({ offset, length, sink }),
      resident: (_file: FileRef, _offset: number, length: number) =>
        this.isResident ? new Uint8Array(length) : undefined,
    };
    this.answers = new Answers(socket, reader, planner, this.outbound, this);
  }

  pauseRequests(isPaused: boolean): void {
    this.pauses.push(isPaused);
  }

  fail(code: string): void {
    this.failure = code;
  }

  get(length: number, plan?: () => ReadPlan | Promise<ReadPlan>): void {
    this.answers.read({
      plan: plan ?? (() => ({ file, offset: 0, length })),
      explain: (error) => `ERROR ${(error as WavecacheError).code}`,
    });
  }

  /** Completes the oldest read in flight, in one part. */
  completeRead(): void {
    const { length, sink } = this.reads.shift()!;
    sink.part(new Uint8Array(length), true);
  }

  drain(): void {
    this.peerReads = true;
    this.buffered = 0;
    this.answers.drained();
  }
}

describe("answers", () => {
  test("go out in the order of the requests, whatever becomes known first", () => {
    const stage = new Stage();
    const first = stage.answers.reserveText();
    stage.get(10);
    stage.answers.text("third");
    expect(stage.reads.length).toBe(0);
    first.fill("first");
    expect(stage.sent).toEqual(["first"]);
    stage.completeRead();
    expect(stage.sent).toEqual(["first", "10 bytes", "third"]);
  });

  test("are read ahead behind known texts, but not behind unknown ones", async () => {
    const stage = new Stage();
    stage.get(10);
    stage.answers.text("known");
    stage.get(20);
    const later = stage.answers.reserveText();
    stage.get(30);
    expect(stage.reads.map((read) => read.length)).toEqual([10, 20]);
    later.fill("later");
    expect(stage.reads.map((read) => read.length)).toEqual([10, 20, 30]);
    while (stage.reads.length > 0) stage.completeRead();
    expect(stage.sent).toEqual(["10 bytes", "known", "20 bytes", "later", "30 bytes"]);
  });

  test("in memory go out at once, in order, and only while the peer reads", () => {
    const stage = new Stage();
    stage.get(10);
    stage.isResident = true;
    stage.get(20);
    expect(stage.sent).toEqual([]);
    stage.completeRead();
    expect(stage.reads.map((read) => read.length)).toEqual([20]);
    stage.completeRead();
    stage.get(30);
    expect(stage.sent).toEqual(["10 bytes", "20 bytes", "30 bytes"]);
    stage.peerReads = false;
    for (let index = 0; index < 5; index += 1) stage.get(40);
    expect(stage.sent.slice(3)).toEqual(["40 bytes"]);
    stage.drain();
    expect(stage.sent.slice(3).length).toBe(5);
    expect(stage.outbound.usedBytes).toBe(0);
  });

  test("that arrive in several parts go out as one message", () => {
    const stage = new Stage();
    stage.get(30);
    const { sink } = stage.reads.shift()!;
    sink.part(new Uint8Array(10), false);
    sink.part(new Uint8Array(10), false);
    expect(stage.sent).toEqual([]);
    sink.part(new Uint8Array(10), true);
    expect(stage.sent).toEqual(["30 bytes"]);
  });

  test("that fail become error texts in their slot, also after a first part", async () => {
    const stage = new Stage();
    stage.get(30);
    stage.get(40, () => Promise.reject(new WavecacheError("STREAM_UNKNOWN")));
    stage.get(50, () => {
      throw new WavecacheError("READ_TOO_LARGE");
    });
    await turn();
    const { sink } = stage.reads.shift()!;
    sink.part(new Uint8Array(10), false);
    sink.failed(new WavecacheError("WORKER_LOST"));
    expect(stage.sent).toEqual(["ERROR WORKER_LOST", "ERROR STREAM_UNKNOWN", "ERROR READ_TOO_LARGE"]);
  });

  test("in flight are limited by bytes, and one is always allowed", () => {
    const stage = new Stage();
    stage.get(4 * readAheadBytes);
    stage.get(1);
    expect(stage.reads.length).toBe(1);
    stage.completeRead();
    expect(stage.reads.length).toBe(1);
    for (let index = 0; index < 100; index += 1) stage.get(readAheadBytes / 8);
    expect(stage.reads.length).toBe(8);
  });

  test("are not read while the peer does not read", () => {
    const stage = new Stage();
    stage.peerReads = false;
    for (let index = 0; index < 10; index += 1) stage.get(readAheadBytes / 2);
    stage.completeRead();
    stage.completeRead();
    expect(stage.reads.length).toBe(0);
    stage.drain();
    expect(stage.reads.length).toBe(2);
  });

  test("held back by backpressure go out before the audio behind them", () => {
    const stage = new Stage();
    stage.get(10);
    stage.answers.text("between");
    stage.get(20);
    stage.peerReads = false;
    stage.completeRead();
    expect(stage.sent).toEqual(["10 bytes"]);
    stage.completeRead();
    expect(stage.sent).toEqual(["10 bytes", "between", "20 bytes"]);
  });

  test("of all connections share one budget, and a closed connection releases its part", () => {
    const stage = new Stage(100);
    const other = new Stage();
    stage.get(80);
    const second = new Answers(
      { send: () => "sent", bufferedBytes: () => 0, pause() {}, resume() {}, ping() {}, close() {} },
      {
        read: (_file, offset, length, sink) => void other.reads.push({ offset, length, sink }),
        resident: () => undefined,
      },
      planner,
      stage.outbound,
      other,
    );
    second.read({ plan: () => ({ file, offset: 0, length: 60 }), explain: String });
    expect(other.reads.length).toBe(0);
    stage.answers.close();
    expect(other.reads.length).toBe(1);
    second.close();
    expect(stage.outbound.usedBytes).toBe(0);
  });

  test("that pile up pause the peer, and too many of them end the connection", () => {
    const stage = new Stage();
    const open = stage.answers.reserveText();
    while (stage.pauses.length === 0) stage.get(1);
    expect(stage.pauses).toEqual([true]);
    open.fill("now");
    while (stage.reads.length > 0) stage.completeRead();
    expect(stage.pauses).toEqual([true, false]);
    stage.answers.reserveText();
    for (let index = 0; index < maxWaitingRequestsPaused; index += 1) stage.get(1);
    expect(stage.failure).toBe("REQUESTS_EXHAUSTED");
  });

  test("keep order and budget through any requests, answers, failures, stalls and drains", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("get" as const), length: fc.integer({ min: 1, max: 2 * readAheadBytes }) }),
      fc.record({
        do: fc.constantFrom(
          "text",
          "later",
          "fill",
          "answer",
          "fail",
          "stall",
          "drain",
          "empty",
          "warm",
          "cold",
        ),
      }),
    );
    const property = fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const stage = new Stage(readAheadBytes);
      const expected: string[] = [];
      const slots: { fill(text: string): void; text: string }[] = [];
      const usedBytes: number[] = [];
      const answer = (fails: boolean) => {
        const read = stage.reads.shift();
        if (read === undefined) return;
        if (fails) expected[read.offset] = "ERROR WORKER_LOST";
        if (fails) read.sink.failed(new WavecacheError("WORKER_LOST"));
        else read.sink.part(new Uint8Array(read.length), true);
      };
      for (const each of steps) {
        const at = expected.length;
        if (each.do === "get" && "length" in each) {
          expected.push(`${each.length} bytes`);
          // The offset identifies the request when its read comes up.
          stage.get(each.length, () => ({ file, offset: at, length: each.length }));
        } else if (each.do === "text") {
          expected.push(`text ${at}`);
          stage.answers.text(`text ${at}`);
        } else if (each.do === "later") {
          expected.push(`later ${at}`);
          slots.push({ ...stage.answers.reserveText(), text: `later ${at}` });
        } else if (each.do === "empty") {
          expected.push("0 bytes");
          stage.get(1, () => "empty");
        } else if (each.do === "fill") {
          const slot = slots.shift();
          slot?.fill(slot.text);
        } else if (each.do === "answer") answer(false);
        else if (each.do === "fail") answer(true);
        else if (each.do === "warm" || each.do === "cold") stage.isResident = each.do === "warm";
        else if (each.do === "stall") stage.peerReads = false;
        else stage.drain();
        usedBytes.push(stage.outbound.usedBytes);
      }
      for (const slot of slots.splice(0)) slot.fill(slot.text);
      for (let index = 0; index < 2 * expected.length + 2; index += 1) {
        stage.drain();
        answer(false);
      }
      expect(stage.sent).toEqual(expected);
      expect(stage.outbound.usedBytes).toBe(0);
      expect(Math.max(0, ...usedBytes)).toBeLessThanOrEqual(2 * readAheadBytes);
    });
    fc.assert(property, { numRuns: 300 });
  });
});
