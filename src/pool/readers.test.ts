import { expect, test } from "bun:test";
import { errorRow, type WavecacheError } from "../base/errors.ts";
import { until } from "../testing/harness/until.ts";
import { Readers } from "./readers.ts";

test("a reader whose thread dies at once fails reads later, never within the call", async () => {
  const losses: string[] = [];
  const entry = new URL(`data:text/javascript,throw new Error("cannot live")`);
  const readers = new Readers({
    entry,
    cacheDir: "",
    count: 1,
    maxReadFiles: 10,
    onLost: (reason) => void losses.push(reason),
  });
  const reader = readers.assign();
  // The first replacement comes at once, the second only after a delay.
  await until("it died twice", 5000, () => losses.length >= 2);
  const failures: WavecacheError[] = [];
  reader.read({ path: "x", immutable: true }, 0, 1, {
    part: () => {},
    failed: (error) => void failures.push(error),
  });
  expect(failures).toEqual([]);
  await until("the read failed", 5000, () => failures.length === 1);
  expect(failures[0]!.message).toStartWith(errorRow("WORKER_LOST").reason);
  await readers.close();
});
