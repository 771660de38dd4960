import { expect, test } from "bun:test";
import { Keepalive } from "./keepalive.ts";

test("closes after its own time without a message, and not before", () => {
  const silence = new Keepalive(1000, 0);
  expect(silence.check(1000)).toBeUndefined();
  silence.received();
  expect(silence.check(1500)).toBeUndefined();
  expect(silence.check(2500)).toBeUndefined();
  expect(silence.check(2501)).toBe("close");
  expect(new Keepalive(0, 0).check(1e9)).toBeUndefined();
});

test("asks for a ping when a third of the peer's time is over without a message of ours", () => {
  const silence = new Keepalive(0, 0);
  expect(silence.check(1e6)).toBeUndefined();
  silence.peerWants(3000);
  silence.sent(1e6);
  expect(silence.check(1e6 + 999)).toBeUndefined();
  expect(silence.check(1e6 + 1000)).toBe("ping");
});
