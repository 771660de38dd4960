import { expect, test } from "bun:test";
import { failureOf } from "../testing/fixtures/failure-of.ts";
import { within } from "../testing/harness/until.ts";
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
