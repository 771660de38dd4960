import { expect, test } from "bun:test";
import { verifiedMs, verifiedPieceBytes as piece } from "../../base/limits/audio-http.ts";
import { VerifiedObjects } from "./verified-objects.ts";

const size = 3 * piece + 10;

test("a range is verified once all of its pieces are, however they came", () => {
  const verified = new VerifiedObjects();
  expect(verified.firstUnverified("a", "1", 0, 1)).toBe(0);
  verified.add("a", "1", size, piece, 2 * piece);
  expect(verified.firstUnverified("a", "1", piece, 2 * piece)).toBeUndefined();
  expect(verified.firstUnverified("a", "1", 2 * piece - 1, 2 * piece + 1)).toBe(2 * piece);
  expect(verified.firstUnverified("a", "1", 5, size)).toBe(0);
  verified.add("a", "1", size, 2 * piece, 4 * piece);
  expect(verified.firstUnverified("a", "1", piece, size)).toBeUndefined();
  expect(verified.firstUnverified("b", "1", piece, size)).toBe(piece);
});

test("another state of the file has to be verified anew, and replaces what was known of the one before", () => {
  const verified = new VerifiedObjects();
  verified.add("a", "1", size, 0, 4 * piece);
  expect(verified.firstUnverified("a", "2", 0, size)).toBe(0);
  expect(verified.firstUnverified("a", "1", 0, size)).toBeUndefined();
  verified.add("a", "2", size, 0, piece);
  expect(verified.firstUnverified("a", "2", 0, size)).toBe(piece);
  expect(verified.firstUnverified("a", "1", 0, size)).toBe(0);
});

test("after a while everything has to be verified anew", () => {
  let now = 1000;
  const verified = new VerifiedObjects(() => now);
  verified.add("a", "1", size, 0, piece);
  now += verifiedMs;
  verified.add("a", "1", size, piece, 2 * piece);
  expect(verified.firstUnverified("a", "1", 0, 2 * piece)).toBeUndefined();
  now += 1;
  expect(verified.firstUnverified("a", "1", 0, 2 * piece)).toBe(0);
  verified.add("a", "1", size, piece, 2 * piece);
  expect(verified.firstUnverified("a", "1", 0, 2 * piece)).toBe(0);
  expect(verified.firstUnverified("a", "1", piece, 2 * piece)).toBeUndefined();
});
