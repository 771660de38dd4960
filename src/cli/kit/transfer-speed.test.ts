import { expect, test } from "bun:test";
import { TransferSpeed } from "./transfer-speed.ts";

const MiB = 1024 * 1024;

test("speed and time left appear once they are known, and follow the last seconds", () => {
  const speed = new TransferSpeed(100 * MiB);
  expect(speed.rate(0, 0)).toBe("");
  expect(speed.rate(1 * MiB, 100)).toBe("");
  expect(speed.rate(10 * MiB, 1_000)).toBe(", 10.00 MiB/s, 9.000 s left");
  for (let seconds = 2; seconds <= 10; seconds++) speed.rate((9 + seconds) * MiB, seconds * 1_000);
  expect(speed.rate(20 * MiB, 11_000)).toBe(", 1.00 MiB/s, 1 min 20 s left");
  expect(speed.amount(20 * MiB)).toBe("20.00 MiB of 100.00 MiB");
});

test("bytes that the server had before do not count as sent", () => {
  const speed = new TransferSpeed(100 * MiB);
  expect(speed.rate(90 * MiB, 0)).toBe("");
  expect(speed.rate(91 * MiB, 1_000)).toBe(", 1.00 MiB/s, 9.000 s left");
});

test("a transfer that begins again, or of unknown size, has no time left", () => {
  const speed = new TransferSpeed(undefined);
  speed.rate(50 * MiB, 0);
  expect(speed.rate(0, 1_000)).toBe("");
  expect(speed.rate(2 * MiB, 2_000)).toBe(", 2.00 MiB/s");
  expect(speed.amount(2 * MiB)).toBe("2.00 MiB");
});
