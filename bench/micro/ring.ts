/**
 * How fast records go through a ring, by the size of their bodies: put in and taken out by one thread, which is the
 * cost of the ring itself, and across a lane to a worker thread, as audio goes to the writers.
 *
 *     bun bench/micro/ring.ts [--quick]
 */
import { writeResultRingBytes, writeRingBytes } from "../../src/base/limits/lanes.ts";
import { KiB, MiB } from "../../src/base/limits/units.ts";
import { EventLoopEnd } from "../../src/lane/event-loop-end.ts";
import { allocateLane } from "../../src/lane/lane.ts";
import { allocateRing, FULL, RingConsumer, RingProducer } from "../../src/lane/ring.ts";
import { type Case, compare, quick } from "./measure.ts";

const sizes = [16, KiB, 8 * KiB, 64 * KiB];
/** Maximum bytes of bodies between two publications, as on the server's main thread. */
const batchBytes = 256 * KiB;
const passBytes = quick ? 256 * KiB : 64 * MiB;
const maxPassRecords = quick ? 100 : 200_000;

const recordsOf = (size: number) => Math.min(maxPassRecords, Math.ceil(passBytes / size));

function show(size: number): (perSecond: number) => string {
  return (perSecond) =>
    `${(perSecond / 1e6).toFixed(3).padStart(8)} M records/s ` +
    `${((perSecond * size) / 1e9).toFixed(2).padStart(7)} GB/s`;
}

/** Writes and reads records in batches; copies each body in and reads one byte of it. */
function oneThread(size: number): Case {
  const memory = allocateRing(writeRingBytes);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const body = new Uint8Array(size).fill(7);
  const batch = Math.max(1, Math.floor(batchBytes / (size + 16)));
  const run = () => {
    let sum = 0;
    for (let record = 0; record < batch; record += 1) {
      const at = producer.reserve(1, record, size);
      if (at === FULL) throw new Error("the ring is full although every record was read");
      producer.bytes.set(body, at);
    }
    producer.publish();
    while (consumer.next()) sum += consumer.bytes[consumer.offset]!;
    consumer.release();
    if (sum !== 7 * batch) throw new Error("the ring lost a record");
    return batch;
  };
  return { name: `${label(size)}, one thread`, run, show: show(size) };
}

/** A worker that reads records, adds up one byte of each and answers once per pass. */
class Consumer {
  readonly #worker = new Worker(new URL("ring-worker.ts", import.meta.url));
  readonly #lane: EventLoopEnd;
  #onSum: (sum: number) => void = () => {};
  #onRoom: () => void = () => {};

  constructor() {
    const memory = allocateLane(writeRingBytes, writeResultRingBytes);
    this.#lane = new EventLoopEnd(memory, {
      onResult: (_kind, sum) => this.#onSum(sum),
      onRoom: () => this.#onRoom(),
    });
    this.#worker.postMessage(memory);
  }

  /** Sends `records` bodies and waits until the worker has read them all. */
  async pass(records: number, body: Uint8Array): Promise<number> {
    const sum = new Promise<number>((resolve) => (this.#onSum = resolve));
    for (let record = 0; record < records;) {
      const at = this.#lane.reserve(1, records, body.length);
      if (at === FULL) {
        await new Promise<void>((resolve) => (this.#onRoom = resolve));
        continue;
      }
      this.#lane.bytes.set(body, at);
      record += 1;
    }
    if ((await sum) !== 7 * records) throw new Error("the worker did not receive every record");
    return records;
  }

  close(): void {
    this.#lane.close();
  }
}

function acrossThreads(consumer: Consumer, size: number): Case {
  const body = new Uint8Array(size).fill(7);
  const run = () => consumer.pass(recordsOf(size), body);
  return { name: `${label(size)}, to a worker`, run, show: show(size) };
}

function label(size: number): string {
  return (size < KiB ? `${size} B` : `${size / KiB} KiB`).padStart(6);
}

const consumer = new Consumer();
await compare("RING", [...sizes.map(oneThread), ...sizes.map((size) => acrossThreads(consumer, size))]);
consumer.close();
