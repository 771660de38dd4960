import { expect, test } from "bun:test";
import { GiB } from "../../src/base/limits/units.ts";
import { useServers } from "../../src/testing/harness/server.ts";
import { measurePuts, putLines } from "./http-put.ts";
import { openSubject } from "./server.ts";

useServers();

test("uploads in both ways, and compares their rates", async () => {
  const settings = { server: undefined, workers: 2, maxCacheBytes: GiB, maxConnections: 100 };
  await using subject = await openSubject(settings);
  const rounds = await measurePuts(subject, { count: 3, bytes: 300_000, rounds: 2 });
  expect(rounds.length).toBe(2);
  for (const { put, webSocket } of rounds) expect([put.bytes, webSocket.bytes]).toEqual([900_000, 900_000]);
  expect(putLines(rounds).length).toBe(3);
});
