import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { allocateRing, FULL, maxBodyBytes, RingConsumer, RingProducer, RingView } from "./ring.ts";

const capacity = 4096;

function openRing(bytes = capacity): { producer: RingProducer; consumer: RingConsumer } {
  const memory = allocateRing(bytes);
  return { producer: new RingProducer(memory), consumer: new RingConsumer(memory) };
}

function put(producer: RingProducer, subject: number, body: Uint8Array): boolean {
  const at = producer.reserve(1, subject, body.length);
  if (at === FULL) return false;
  producer.bytes.set(body, at);
  return true;
}

function bodyOf(consumer: RingConsumer): Uint8Array {
  return consumer.bytes.slice(consumer.offset, consumer.offset + consumer.length);
}

describe("a ring", () => {
  test("shows a record only after it is published", () => {
    const { producer, consumer } = openRing();
    put(producer, 7, Uint8Array.of(1, 2, 3));
    expect(consumer.next()).toBe(false);
    expect(producer.publish()).toBe(true);
    expect(consumer.next()).toBe(true);
    expect([consumer.kind, consumer.subject, ...bodyOf(consumer)]).toEqual([1, 7, 1, 2, 3]);
    expect(consumer.next()).toBe(false);
    expect(producer.publish()).toBe(false);
  });

  test("is full when its bytes are used up, and has room again after a release", () => {
    const { producer, consumer } = openRing();
    let records = 0;
    while (put(producer, records, new Uint8Array(240))) records += 1;
    expect(records).toBe(capacity / 256);
    producer.publish();
    while (consumer.next());
    expect(put(producer, 0, new Uint8Array(240))).toBe(false);
    consumer.release();
    expect(put(producer, 0, new Uint8Array(240))).toBe(true);
  });

  test("throws for a body that can never fit, instead of reporting that it is full", () => {
    const { producer } = openRing();
    expect(() => producer.reserve(1, 0, maxBodyBytes(capacity) + 1)).toThrow(RangeError);
    expect(producer.reserve(1, 0, maxBodyBytes(capacity))).not.toBe(FULL);
  });

  test("fits the longest body at every position while it is empty", () => {
    const { producer, consumer } = openRing();
    for (let round = 0; round < 600; round += 1) {
      expect(put(producer, round, new Uint8Array((round * 16) % 128))).toBe(true);
      producer.publish();
      while (consumer.next());
      consumer.release();
      expect(put(producer, round, new Uint8Array(maxBodyBytes(capacity)))).toBe(true);
      producer.publish();
      while (consumer.next());
      consumer.release();
    }
  });

  test("has the consumer ring only if the producer has asked for room", () => {
    const { producer, consumer } = openRing();
    for (const asks of [false, true, false]) {
      put(producer, 0, new Uint8Array(100));
      producer.publish();
      if (asks) producer.wantRoom(1);
      consumer.next();
      expect(consumer.release()).toBe(asks);
    }
  });

  test("has the consumer ring only once as much room is free as the producer asked for", () => {
    const { producer, consumer } = openRing();
    while (put(producer, 0, new Uint8Array(112)));
    producer.publish();
    producer.wantRoom(capacity / 2);
    const rings: boolean[] = [];
    while (consumer.next()) rings.push(consumer.release());
    expect(rings).toEqual(rings.map((_, index) => index + 1 === rings.length / 2));
    expect(producer.refreshFreeBytes()).toBe(capacity);
  });

  test("joins frames of one subject until they are published or the limit is reached", () => {
    const { producer, consumer } = openRing();
    put(producer, 5, Uint8Array.of(1));
    producer.bytes.set([2, 3], producer.extend(1, 5, 2, 4));
    expect(producer.extend(1, 5, 2, 4)).toBe(FULL);
    expect(producer.extend(1, 6, 1, 4)).toBe(FULL);
    expect(producer.extend(2, 5, 1, 4)).toBe(FULL);
    producer.publish();
    expect(producer.extend(1, 5, 1, 4)).toBe(FULL);
    consumer.next();
    expect([...bodyOf(consumer)]).toEqual([1, 2, 3]);
  });

  test.each([0, 1000, 1500, 2 ** 31])("cannot have %d bytes", (bytes) => {
    expect(() => allocateRing(bytes)).toThrow(RangeError);
  });

  test("delivers all records in order, for any sizes, joins and batches, a hundred times round", () => {
    const step = fc.record({
      size: fc.integer({ min: 0, max: 700 }),
      join: fc.boolean(),
      publish: fc.boolean(),
      take: fc.integer({ min: 0, max: 8 }),
      release: fc.boolean(),
    });
    const property = fc.property(
      fc.constantFrom(1024, 2048, 4096),
      fc.array(step, { minLength: 20, maxLength: 60 }),
      (bytes, steps) => {
        const { producer, consumer } = openRing(bytes);
        const sent: number[] = [];
        const received: number[] = [];
        let next = 0;
        let total = 0;
        const takeOne = () => {
          if (!consumer.next()) return false;
          received.push(...bodyOf(consumer));
          return true;
        };
        for (let round = 0; total < 100 * bytes; round += 1) {
          const { size, join, publish, take, release } = steps[round % steps.length]!;
          const body = Uint8Array.from(
            { length: Math.min(size, maxBodyBytes(bytes)) },
            () => (next = (next + 1) & 255),
          );
          let at = join ? producer.extend(1, 1, body.length, maxBodyBytes(bytes)) : FULL;
          if (at === FULL) at = producer.reserve(1, 1, body.length);
          if (at === FULL) {
            next = (next - body.length) & 255;
            producer.publish();
            while (takeOne());
            consumer.release();
          } else {
            producer.bytes.set(body, at);
            sent.push(...body);
            total += body.length + 16;
          }
          if (publish) producer.publish();
          for (let taken = 0; taken < take && takeOne(); taken += 1);
          if (release) consumer.release();
        }
        producer.publish();
        while (takeOne());
        expect(received.length).toBe(sent.length);
        expect(Bun.hash(Uint8Array.from(received))).toBe(Bun.hash(Uint8Array.from(sent)));
      },
    );
    fc.assert(property, { numRuns: 40 });
  });
});

test("a view shows the bytes that are published and not released, past the wrap too", () => {
  const memory = allocateRing(1024);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  const view = new RingView(memory);
  for (let round = 0; round < 50; round += 1) {
    expect(producer.reserve(1, 0, 100)).not.toBe(FULL);
    expect(view.usedBytes).toBe(0);
    producer.publish();
    const used = view.usedBytes;
    expect(used).toBeGreaterThanOrEqual(116);
    expect(used).toBeLessThanOrEqual(view.capacityBytes);
    consumer.next();
    expect(view.usedBytes).toBe(used);
    consumer.release();
  }
});
