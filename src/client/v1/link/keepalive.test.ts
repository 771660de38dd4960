import { expect, test } from "bun:test";
import { silenceMs } from "../../limits.ts";
import { Keepalive } from "./keepalive.ts";

test("a client that says nothing pings when a third of the server's patience is over", () => {
  const signs = new Keepalive(9_000, 0);
  expect(signs.dueMs).toBe(3_000);
  expect(signs.check(2_999)).toBeUndefined();
  expect(signs.check(3_000)).toBe(1);
  signs.sentMs = 3_000;
  expect(signs.dueMs).toBe(6_000);
});

test("a server that says nothing is pinged, once a second at most, and then given up", () => {
  const signs = new Keepalive(0, 0);
  signs.sentMs = 9_900;
  expect(signs.check(silenceMs / 3)).toBe(1);
  expect(signs.check(silenceMs / 3 + 999)).toBeUndefined();
  expect(signs.check(silenceMs / 3 + 1_000)).toBe(2);
  expect(() => signs.check(silenceMs)).toThrow("connection lost");
});

test("whatever comes is a sign", () => {
  const signs = new Keepalive(0, 0);
  signs.receivedMs = silenceMs - 1;
  expect(signs.check(silenceMs)).toBeUndefined();
});
