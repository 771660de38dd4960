import { expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import type { Fields, Log } from "../../base/log/log.ts";
import type { KeeperArgs, KeeperCall, KeeperResult } from "../../store/keeper-calls.ts";
import { until } from "../../testing/harness/until.ts";
import { Damage } from "./damage.ts";

/** A catalog of streams by their object; the ids in `damaged` are marked. */
class FakeKeeper {
  readonly damaged = new Set<string>();
  marks = 0;
  readonly streams: Record<string, string[]>;

  constructor(streams: Record<string, string[]>) {
    this.streams = streams;
  }

  async call<C extends KeeperCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>> {
    return (call === "countDamaged" ? this.damaged.size : this.#mark(args as never)) as KeeperResult<C>;
  }

  #mark({ sha256, isDamaged }: KeeperArgs<"markDamaged">): { streamIds: string[] } {
    this.marks += 1;
    const streamIds = (this.streams[sha256] ?? []).filter((id) => this.damaged.has(id) !== isDamaged);
    for (const id of streamIds) {
      if (isDamaged) this.damaged.add(id);
      else this.damaged.delete(id);
    }
    return { streamIds };
  }
}

function logOf(lines: [string, Fields | undefined][]): Log {
  const write = (message: string, fields?: Fields) => void lines.push([message, fields]);
  return { debug: write, info: write, warn: write, error: write };
}

const error = new WavecacheError("OBJECT_DAMAGED", "a detail");

test("damage is counted at each report, and marked and logged with its streams once", async () => {
  const keeper = new FakeKeeper({ aa: ["one", "two"], bb: ["three"] });
  const lines: [string, Fields | undefined][] = [];
  const damage = new Damage(keeper, () => {}, logOf(lines));
  for (let times = 0; times < 5; times += 1) damage.report("objects-v1/aa/aa", error);
  damage.report("objects-v1/bb/bb", error);
  await until("three streams", 5_000, () => damage.streams === 3);
  expect([damage.found, keeper.marks]).toEqual([6, 2]);
  expect(lines.map(([, fields]) => fields?.["streamIds"])).toEqual(["one two", "three"]);
});

test("an object without streams is not logged: it was removed while it was read", async () => {
  const keeper = new FakeKeeper({});
  const lines: [string, Fields | undefined][] = [];
  const damage = new Damage(keeper, () => {}, logOf(lines));
  damage.report("objects-v1/aa/aa", error);
  await until("the mark", 5_000, () => keeper.marks === 1);
  expect([damage.found, lines]).toEqual([1, []]);
});

test("damage that is repaired, or was none, is counted no more, and new damage is reported again", async () => {
  const keeper = new FakeKeeper({ aa: ["one"] });
  const lines: [string, Fields | undefined][] = [];
  const damage = new Damage(keeper, () => {}, logOf(lines));
  damage.report("x/aa", error);
  await until("a damaged stream", 5_000, () => damage.streams === 1);
  keeper.damaged.clear();
  await damage.replaced("aa");
  expect(damage.streams).toBe(0);
  damage.report("x/aa", error);
  await until("a damaged stream again", 5_000, () => damage.streams === 1);
  await damage.disproved("aa");
  expect(damage.streams).toBe(0);
  expect(lines.map(([message]) => message)).toEqual([
    "audio is damaged on the disk",
    "audio is damaged on the disk",
    "damaged audio is whole again",
  ]);
});
