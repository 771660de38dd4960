import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { KiB, MiB } from "../../base/limits/units.ts";
import { initialChannelCreditBytes, maxChannelWindowBytes, maxCreditBytes } from "../../base/limits/v1.ts";
import { channelWindow, ReceiveWindow, SendCredit } from "./credit.ts";

describe("credit to send", () => {
  test("is spent down to nothing and no further", () => {
    const credit = new SendCredit(100);
    credit.spend(60);
    expect(credit.bytes).toBe(40);
    expect(() => credit.spend(41)).toThrow(RangeError);
    expect(credit.bytes).toBe(40);
  });

  test("may not be granted without end", () => {
    const credit = new SendCredit(1);
    expect(credit.grant(maxCreditBytes)).toBe(false);
    expect(credit.bytes).toBe(1);
    expect(credit.grant(maxCreditBytes - 1)).toBe(true);
    expect(credit.bytes).toBe(maxCreditBytes);
  });
});

describe("a window to receive", () => {
  test("tells a sender that keeps to its credit from one that does not", () => {
    const window = new ReceiveWindow(100);
    expect(window.receive(100)).toBe(true);
    expect(window.receive(1)).toBe(false);
    expect(window.heldBytes).toBe(100);
  });

  test("is opened again by halves, as bytes are taken", () => {
    const window = new ReceiveWindow(100);
    window.receive(80);
    expect(window.refill(100)).toBe(0);
    window.take(49);
    expect(window.refill(100)).toBe(0);
    window.take(1);
    expect(window.refill(100)).toBe(50);
    expect(window.refill(100)).toBe(0);
    expect(() => window.take(31)).toThrow(RangeError);
  });

  test("that becomes smaller takes nothing back", () => {
    const window = new ReceiveWindow(100);
    expect(window.refill(40)).toBe(0);
    expect(window.receive(100)).toBe(true);
  });

  test("and its sender never get out of step, nor holds it more than was ever its size", () => {
    const step = fc.tuple(fc.nat(50), fc.nat(50), fc.integer({ min: 1, max: 200 }));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sender = new SendCredit(64);
        const receiver = new ReceiveWindow(64);
        let largest = 64;
        for (const [sent, taken, size] of steps) {
          const bytes = Math.min(sent, sender.bytes);
          sender.spend(bytes);
          expect(receiver.receive(bytes)).toBe(true);
          receiver.take(Math.min(taken, receiver.heldBytes));
          largest = Math.max(largest, size);
          const granted = receiver.refill(size);
          if (granted > 0) expect(sender.grant(granted)).toBe(true);
          expect(receiver.heldBytes + sender.bytes).toBeLessThanOrEqual(largest);
        }
        receiver.take(receiver.heldBytes);
        sender.grant(receiver.refill(1000));
        expect(sender.bytes).toBeGreaterThan(0);
      }),
    );
  });
});

test("channels share what there is, and each has enough to go on", () => {
  expect(channelWindow(32 * MiB, 0)).toBe(maxChannelWindowBytes);
  expect(channelWindow(32 * MiB, 128)).toBe(252 * KiB);
  expect(channelWindow(32 * MiB, 1024)).toBe(initialChannelCreditBytes);
});
