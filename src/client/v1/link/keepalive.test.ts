import { expect, test } from "bun:test";
import { serverIdleTimeoutMs } from "../../limits.ts";
import { Keepalive } from "./keepalive.ts";

test("a client that sends nothing pings after a third of the server's idle timeout", () => {
  const keepalive = new Keepalive(9_000, 0);
  expect(keepalive.dueMs).toBe(3_000);
  expect(keepalive.check(2_999)).toBeUndefined();
  expect(keepalive.check(3_000)).toBe(1);
  keepalive.sentMs = 3_000;
  expect(keepalive.dueMs).toBe(6_000);
});

test("a silent server is pinged once a second at most, and then given up", () => {
  const keepalive = new Keepalive(0, 0);
  keepalive.sentMs = 9_900;
  expect(keepalive.check(serverIdleTimeoutMs / 3)).toBe(1);
  expect(keepalive.check(serverIdleTimeoutMs / 3 + 999)).toBeUndefined();
  expect(keepalive.check(serverIdleTimeoutMs / 3 + 1_000)).toBe(2);
  expect(() => keepalive.check(serverIdleTimeoutMs)).toThrow("connection lost");
});

test("any received frame restarts the idle timeout", () => {
  const keepalive = new Keepalive(0, 0);
  keepalive.receivedMs = serverIdleTimeoutMs - 1;
  expect(keepalive.check(serverIdleTimeoutMs)).toBeUndefined();
});
