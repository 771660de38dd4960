import { expect, test } from "bun:test";
import { failureOf } from "../testing/fixtures/failure-of.ts";
import { until, within } from "../testing/harness/until.ts";
import type { KeeperArgs } from "../store/keeper-calls.ts";
import type { StoreCondition } from "../store/store-guard.ts";
import { KeeperClient } from "./keeper-client.ts";

test("a keeper that dies while it closes fails the close, and the calls that wait for an answer", async () => {
  const lost: string[] = [];
  const entry = new URL(
    `data:text/javascript,self.onmessage=({data})=>{if(data.call==="close")throw new Error("out of luck")}`,
  );
  const keeper = new KeeperClient({ entry, onLost: (reason) => lost.push(reason) });
  const unanswered = failureOf(keeper.call("totals", null));
  const closed = failureOf(keeper.close());
  expect(await within("the end of the close", 5_000, closed)).toBe("WORKER_LOST");
  expect(await within("the end of the call", 5_000, unanswered)).toBe("WORKER_LOST");
  expect(lost).toEqual([]);
});

test("a keeper that dies is a condition of the store, until the next one has opened the store", async () => {
  const script = `self.onmessage = ({ data: { serial, call } }) => {
    if (call !== "open") throw new Error("out of luck");
    self.postMessage({ serial, errorNumber: 0, result: null });
  }`;
  const entry = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  const keeper = new KeeperClient({ entry, onLost: () => {} });
  const conditions: StoreCondition[] = [];
  const listener = { notified: () => {}, conditionChanged: (each: StoreCondition) => conditions.push(each) };
  await keeper.open({} as KeeperArgs<"open">, listener);
  expect(conditions).toEqual([]);
  expect(await failureOf(keeper.call("totals", null))).toBe("WORKER_LOST");
  await until("the next keeper", 5_000, () => conditions.length === 2);
  expect(conditions[0]).toEqual({ code: "KEEPER_LOST", detail: expect.stringContaining("out of luck") });
  expect(conditions[1]).toEqual({ code: "KEEPER_LOST", detail: null });
  await failureOf(keeper.close());
});
