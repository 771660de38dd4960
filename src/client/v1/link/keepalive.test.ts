import { expect, test } from "bun:test";
import { serverIdleTimeoutMs } from "../../limits.ts";
import { Keepalive } from "./keepalive.ts";

test("a client that says nothing pings when a third of the server's patience is over", () => {
  const keepalive = new Keepalive(9_000, 0);
  expect(keepalive.dueMs).toBe(3_000);
  expect(keepalive.check(2_999)).toBeUndefined();
  expect(keepalive.check(3_000)).toBe(1);
  keepalive.sentMs = 3_000;
  expect(keepalive.dueMs).toBe(6_000);
});

test("a server that says nothing is pinged, once a second at most, and then given up", () => {
  const keepalive = new Keepalive(0, 0);
  keepalive.sentMs = 9_900;
  expect(keepalive.check(serverIdleTimeoutMs / 3)).toBe(1);
  expect(keepalive.check(serverIdleTimeoutMs / 3 + 999)).toBeUndefined();
  expect(keepalive.check(serverIdleTimeoutMs / 3 + 1_000)).toBe(2);
  expect(() => keepalive.check(serverIdleTimeoutMs)).toThrow("connection lost");
});

test("whatever comes is a sign", () => {
  const keepalive = new Keepalive(0, 0);
  keepalive.receivedMs = serverIdleTimeoutMs - 1;
  expect(keepalive.check(serverIdleTimeoutMs)).toBeUndefined();
});
