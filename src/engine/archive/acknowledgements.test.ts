import { beforeEach, expect, test } from "bun:test";
import { WavecacheError } from "../../base/errors.ts";
import type { KeeperClient } from "../../pool/keeper-client.ts";
import { until } from "../../testing/harness/until.ts";
import { Acknowledgements } from "./acknowledgements.ts";

const sha256 = "a".repeat(64);
let isArchived: boolean;
/** This node stores the object. */
let isHere: boolean;
let calls: number;
const keeper = {
  call: async () => {
    calls += 1;
    return isHere || isArchived ? { isArchived } : null;
  },
} as unknown as Pick<KeeperClient, "call">;

beforeEach(() => {
  [isArchived, isHere, calls] = [false, true, 0];
});

async function outcomeOf(promise: Promise<void>): Promise<string> {
  try {
    await promise;
    return "acknowledged";
  } catch (error) {
    return error instanceof WavecacheError ? error.code : String(error);
  }
}

test("an object that the archive has is acknowledged at once", async () => {
  isArchived = true;
  expect(await outcomeOf(new Acknowledgements(keeper).wait(sha256))).toBe("acknowledged");
});

test("any other is acknowledged when the archive has it, and so is who waits beside", async () => {
  const all = new Acknowledgements(keeper);
  const ends = [outcomeOf(all.wait(sha256)), outcomeOf(all.wait(sha256))];
  await until("both to wait", 5_000, () => calls === 2);
  all.archived("b".repeat(64));
  all.archived(sha256);
  expect(await Promise.all(ends)).toEqual(["acknowledged", "acknowledged"]);
});

test("an object that is stored before the catalog has answered is acknowledged", async () => {
  const all = new Acknowledgements(keeper);
  const end = outcomeOf(all.wait(sha256));
  all.archived(sha256);
  expect(await end).toBe("acknowledged");
});

test("an object of another node is acknowledged once that node has stored it", async () => {
  isHere = false;
  const end = outcomeOf(new Acknowledgements(keeper, 10_000, 5).wait(sha256));
  await until("a second look", 5_000, () => calls >= 2);
  isArchived = true;
  expect(await end).toBe("acknowledged");
  isArchived = false;
  expect(await outcomeOf(new Acknowledgements(keeper, 20, 5).wait(sha256))).toBe("ARCHIVE_UNAVAILABLE");
});

test("nobody waits for ever, nor at the end of the server", async () => {
  expect(await outcomeOf(new Acknowledgements(keeper, 1).wait(sha256))).toBe("ARCHIVE_UNAVAILABLE");
  const all = new Acknowledgements(keeper);
  const end = outcomeOf(all.wait(sha256));
  all.close();
  expect(await end).toBe("SHUTTING_DOWN");
});
