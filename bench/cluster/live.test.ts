/** The bench with a little of everything, so that it does not rot. */
import { expect, test } from "bun:test";
import { hasNatsServer } from "../../src/testing/harness/servers/nats-server.ts";
import { measureLive } from "./live.ts";

test.skipIf(!hasNatsServer)(
  "hears a device at its own server and at another one",
  async () => {
    const { own, others } = await measureLive({ nodes: 2, listeners: 4, seconds: 1 });
    expect(own.count).toBeGreaterThan(2);
    expect(others.count).toBeGreaterThan(2);
    expect(others.p50).toBeGreaterThan(0);
  },
  60_000,
);
