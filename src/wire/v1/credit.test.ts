import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { KiB, MiB } from "../../base/limits/units.ts";
import { initialChannelCreditBytes, maxChannelWindowBytes, maxCreditBytes } from "../../base/limits/v1.ts";
import { channelWindow, ReceiveWindow, SendCredit } from "./credit.ts";

describe("credit to send", () => {
  test("can be spent to zero and no further", () => {
    const credit = new SendCredit(100);
    credit.spend(60);
    expect(credit.bytes).toBe(40);
    expect(() => credit.spend(41)).toThrow(RangeError);
    expect(credit.bytes).toBe(40);
  });

  test("has a limit beyond which no grant is accepted", () => {
    const credit = new SendCredit(1);
    expect(credit.grant(maxCreditBytes)).toBe(false);
    expect(credit.bytes).toBe(1);
    expect(credit.grant(maxCreditBytes - 1)).toBe(true);
    expect(credit.bytes).toBe(maxCreditBytes);
  });
});

describe("a receive window", () => {
  test("accepts bytes within the credit and refuses bytes beyond it", () => {
    const window = new ReceiveWindow(100);
    expect(window.receive(100)).toBe(true);
    expect(window.receive(1)).toBe(false);
    expect(window.heldBytes).toBe(100);
  });

  test("refills once half of it has been consumed", () => {
    const window = new ReceiveWindow(100);
    window.receive(80);
    expect(window.refill(100)).toBe(0);
    window.consume(49);
    expect(window.refill(100)).toBe(0);
    window.consume(1);
    expect(window.refill(100)).toBe(50);
    expect(window.refill(100)).toBe(0);
    expect(() => window.consume(31)).toThrow(RangeError);
  });

  test("that shrinks revokes no credit", () => {
    const window = new ReceiveWindow(100);
    expect(window.refill(40)).toBe(0);
    expect(window.receive(100)).toBe(true);
  });

  test("and its sender agree on the credit, and it never holds more than its largest size", () => {
    const step = fc.tuple(fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 200 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sender = new SendCredit(64);
        const receiver = new ReceiveWindow(64);
        let largest = 64;
        for (const [sent, consumed, size] of steps) {
          const bytes = Math.min(sent, sender.bytes);
          sender.spend(bytes);
          expect(receiver.receive(bytes)).toBe(true);
          receiver.consume(Math.min(consumed, receiver.heldBytes));
          largest = Math.max(largest, size);
          const granted = receiver.refill(size);
          if (granted > 0) expect(sender.grant(granted)).toBe(true);
          expect(receiver.heldBytes + sender.bytes).toBeLessThanOrEqual(largest);
        }
        receiver.consume(receiver.heldBytes);
        sender.grant(receiver.refill(1000));
        expect(sender.bytes).toBeGreaterThan(0);
      }),
    );
  });
});

test("channels share the budget, and each has enough for a message", () => {
  expect(channelWindow(32 * MiB, 0)).toBe(maxChannelWindowBytes);
  expect(channelWindow(32 * MiB, 128)).toBe(252 * KiB);
  expect(channelWindow(32 * MiB, 1024)).toBe(initialChannelCreditBytes);
});
