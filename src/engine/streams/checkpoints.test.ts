import { expect, test } from "bun:test";
import { errorNumber } from "../../base/errors.ts";
import type { CheckpointItem, CheckpointOutcome } from "../../store/streams/checkpoint.ts";
import { Checkpoints } from "./checkpoints.ts";

const item = (streamId: string): CheckpointItem => ({ streamId, key: streamId, size: 1 });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("uploads that ask during a round share the next one", async () => {
  const rounds: { names: string[]; end(outcomes: CheckpointOutcome[]): void }[] = [];
  const checkpoints = new Checkpoints((items) => {
    const { promise, resolve } = Promise.withResolvers<CheckpointOutcome[]>();
    rounds.push({ names: items.map(({ streamId }) => streamId), end: resolve });
    return promise;
  });
  const first = [checkpoints.add(item("a")), checkpoints.add(item("b"))];
  await turn();
  const second = [checkpoints.add(item("c")), checkpoints.add(item("d"))];
  await turn();
  expect(rounds.map(({ names }) => names)).toEqual([["a", "b"]]);
  rounds[0]!.end([null, { errorNumber: errorNumber("DISK_FULL"), detail: "" }]);
  const outcomes = await Promise.allSettled(first);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  await turn();
  expect(rounds.map(({ names }) => names)).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
  rounds[1]!.end([null, null]);
  await Promise.all(second);
});

test("a round that fails as a whole rejects each upload, and the next round runs", async () => {
  let rounds = 0;
  const checkpoints = new Checkpoints(async (items) => {
    rounds += 1;
    if (rounds === 1) throw new Error("gone");
    return items.map(() => null);
  });
  expect(checkpoints.add(item("a"))).rejects.toThrow("gone");
  await turn();
  await checkpoints.add(item("a"));
});
