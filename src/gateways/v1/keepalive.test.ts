import { expect, test } from "bun:test";
import { Keepalive } from "./keepalive.ts";

test("closes after its idle timeout without a message, and not before", () => {
  const keepalive = new Keepalive(1000, 0);
  expect(keepalive.check(1000)).toBeUndefined();
  keepalive.received();
  expect(keepalive.check(1500)).toBeUndefined();
  expect(keepalive.check(2500)).toBeUndefined();
  expect(keepalive.check(2501)).toBe("close");
  expect(new Keepalive(0, 0).check(1e9)).toBeUndefined();
});

test("asks for a ping after a third of the peer's idle timeout without a message of ours", () => {
  const keepalive = new Keepalive(0, 0);
  expect(keepalive.check(1e6)).toBeUndefined();
  keepalive.setPeerIdle(3000);
  keepalive.sent(1e6);
  expect(keepalive.check(1e6 + 999)).toBeUndefined();
  expect(keepalive.check(1e6 + 1000)).toBe("ping");
});
