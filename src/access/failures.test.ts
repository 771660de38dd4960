import { describe, expect, test } from "bun:test";
import { Failures } from "./failures.ts";

function failTimes(failures: Failures, address: string, times: number): void {
  for (let left = times; left > 0; left--) failures.add(address);
}

describe("wrong credentials", () => {
  test("block their address for a minute after the twentieth within a minute", () => {
    let now = 0;
    const failures = new Failures(() => now);
    failTimes(failures, "10.0.0.1", 19);
    expect(failures.isBlocked("10.0.0.1")).toBe(false);
    now = 59_000;
    failures.add("10.0.0.1");
    expect(failures.isBlocked("10.0.0.1")).toBe(true);
    expect(failures.isBlocked("10.0.0.2")).toBe(false);
    now = 118_999;
    expect(failures.isBlocked("10.0.0.1")).toBe(true);
    now = 119_000;
    expect(failures.isBlocked("10.0.0.1")).toBe(false);
  });

  test("are forgotten after a minute", () => {
    let now = 0;
    const failures = new Failures(() => now);
    failTimes(failures, "10.0.0.1", 19);
    now = 60_000;
    failures.add("10.0.0.1");
    expect(failures.isBlocked("10.0.0.1")).toBe(false);
  });

  test("block later where more are allowed", () => {
    const failures = new Failures(() => 0, 30);
    failTimes(failures, "10.0.0.1", 29);
    expect(failures.isBlocked("10.0.0.1")).toBe(false);
    failures.add("10.0.0.1");
    expect(failures.isBlocked("10.0.0.1")).toBe(true);
  });

  test("count together for all addresses of an IPv6 network", () => {
    const failures = new Failures();
    for (let host = 1; host <= 20; host++) failures.add(`2001:db8:0:1::${host.toString(16)}`);
    expect(failures.isBlocked("2001:db8:0:1:ffff::9")).toBe(true);
    expect(failures.isBlocked("2001:db8:0:2::1")).toBe(false);
  });

  test("of ten thousand addresses are remembered, and no more", () => {
    const failures = new Failures();
    failTimes(failures, "10.0.0.1", 20);
    for (let at = 0; at < 9_999; at++) failures.add(`11.0.${at >> 8}.${at & 255}`);
    expect(failures.isBlocked("10.0.0.1")).toBe(true);
    for (let at = 0; at < 10_000; at++) failures.add(`12.0.${at >> 8}.${at & 255}`);
    expect(failures.isBlocked("10.0.0.1")).toBe(false);
  });
});
