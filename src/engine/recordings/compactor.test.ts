import { describe, expect, test } from "bun:test";
import { openLog } from "../../base/log/log.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { Compactor } from "./compactor.ts";

const hourMs = 3_600_000;

/** A keeper with recordings of some hours; each hour has these sessions. */
class Stage {
  readonly said: string[] = [];
  nowMs = 0;
  failure: Error | undefined;
  isThere = true;
  readonly compactor: Compactor;

  constructor(hours: ReadonlyMap<number, number[]>) {
    const call = async (kind: string, args: Record<string, unknown>) => {
      if (this.failure !== undefined) throw this.failure;
      if (kind === "joinableSessions") {
        const hour = [...hours.keys()]
          .sort((a, b) => a - b)
          .find((each) => each * hourMs >= (args["from"] as number));
        return hour === undefined ? null : { from: hour * hourMs, sessions: hours.get(hour)! };
      }
      if (kind === "settleJoins") this.said.push(`settle ${args["before"]}`);
      if (kind === "joinRecordings")
        this.said.push(`join ${args["session"]} of hour ${(args["from"] as number) / hourMs}`);
      return { segments: 360, recordings: 1, problems: [] };
    };
    const isThere = () => this.isThere;
    const folder = {
      path: "/r",
      get isThere() {
        return isThere();
      },
      noteLoss: () => false,
    };
    const keeper = { call } as unknown as Pick<KeeperClient, "call">;
    this.compactor = new Compactor(
      keeper,
      folder,
      { isOn: true, keepPackets: true },
      openLog("test"),
      () => this.nowMs,
    );
  }
}

describe("the compactor", () => {
  test("joins each hour once, ten minutes after its end", async () => {
    const stage = new Stage(
      new Map([
        [1, [7, 8]],
        [5, [7]],
      ]),
    );
    stage.nowMs = 2 * hourMs + 10 * 60_000 - 1;
    await stage.compactor.runOnce();
    expect(stage.said).toEqual([`settle ${2 * hourMs - 1}`]);
    stage.nowMs += 1;
    await stage.compactor.runOnce();
    stage.nowMs = 7 * hourMs;
    await stage.compactor.runOnce();
    await stage.compactor.runOnce();
    expect(stage.said.filter((each) => each.startsWith("join"))).toEqual([
      "join 7 of hour 1",
      "join 8 of hour 1",
      "join 7 of hour 5",
    ]);
  });

  test("tries an hour again after a failure, and waits for a folder that is lost", async () => {
    const stage = new Stage(new Map([[1, [7]]]));
    stage.nowMs = 3 * hourMs;
    stage.failure = new Error("disk full");
    await stage.compactor.runOnce();
    stage.failure = undefined;
    stage.isThere = false;
    await stage.compactor.runOnce();
    expect(stage.said).toEqual([]);
    stage.isThere = true;
    await stage.compactor.runOnce();
    expect(stage.said).toEqual([`settle ${3 * hourMs - 600_000}`, "join 7 of hour 1"]);
  });

  test("stops between two sessions when it is closed", async () => {
    const stage = new Stage(new Map([[1, [7, 8, 9]]]));
    stage.nowMs = 3 * hourMs;
    const run = stage.compactor.runOnce();
    await stage.compactor.close();
    await run;
    expect(stage.said.filter((each) => each.startsWith("join")).length).toBeLessThan(3);
  });
});
