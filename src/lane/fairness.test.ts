import { expect, test } from "bun:test";
import { MiB } from "../base/limits/units.ts";
import { type Feeder, LaneFairness } from "./fairness.ts";

/** A lane that has room for one burst in each turn. */
const narrow = { freeBytes: () => MiB / 2, wantRoom: () => undefined };

class FakeFeeder implements Feeder {
  readonly canBeHeld = true;
  readonly sender: string;
  turns = 0;

  constructor(sender: string) {
    this.sender = sender;
  }

  hold(): void {}

  room(): void {
    this.turns += 1;
  }
}

/** Lets all feeders compete; each one that resumes finds the lane full again. */
async function compete(feeders: readonly FakeFeeder[], rounds: number): Promise<void> {
  const fairness = new LaneFairness<FakeFeeder>(() => narrow);
  const filler = new FakeFeeder("filler");
  for (const feeder of feeders) fairness.add(feeder);
  for (let round = 0; round < rounds; round += 1) {
    fairness.add(filler);
    fairness.full(filler);
    fairness.room();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function turnsOf(feeders: readonly FakeFeeder[], sender: string): number {
  return feeders.filter((each) => each.sender === sender).reduce((sum, { turns }) => sum + turns, 0);
}

test("a sender with many sockets gets as many turns as one with a single socket", async () => {
  const crowd = Array.from({ length: 20 }, () => new FakeFeeder("crowd"));
  const feeders = [...crowd, new FakeFeeder("alone")];
  await compete(feeders, 200);
  const [many, one] = [turnsOf(feeders, "crowd"), turnsOf(feeders, "alone")];
  expect(one).toBeGreaterThan(20);
  expect(Math.abs(many - one)).toBeLessThanOrEqual(0.1 * many);
});

test("the sockets of a sender resume in the order in which they were held", async () => {
  const feeders = Array.from({ length: 10 }, () => new FakeFeeder("crowd"));
  await compete(feeders, 200);
  const turns = feeders.map((each) => each.turns);
  expect(Math.min(...turns)).toBeGreaterThan(0);
  expect(Math.max(...turns) - Math.min(...turns)).toBeLessThanOrEqual(1);
});
