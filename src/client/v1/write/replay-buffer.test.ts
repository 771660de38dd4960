import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { noise } from "../../../testing/fixtures/client.ts";
import { replayBlockBytes, replayBudgetBytes, maxReplayBytes, minReplayBytes } from "../../limits.ts";
import { ReplayBudget, MemoryReplayBuffer, SourceReplayBuffer } from "./replay-buffer.ts";

const bytes = noise(1_000_000);

describe("a replay buffer in memory", () => {
  test("returns what was written, from any offset that is not discarded", async () => {
    const write = fc.record({
      kind: fc.constant("write" as const),
      length: fc.integer({ min: 0, max: 150_000 }),
    });
    const discard = fc.record({
      kind: fc.constant("discard" as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const read = fc.record({
      kind: fc.constant("read" as const),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const steps = fc.array(fc.oneof(write, discard, read), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(1000), async (steps, start) => {
        const replay = new MemoryReplayBuffer(new ReplayBudget(), start);
        let written = start;
        let durable = start;
        for (const step of steps) {
          if (step.kind === "write") {
            const end = Math.min(bytes.length, written + step.length);
            await replay.write(bytes.subarray(written, end));
            written = end;
          } else if (step.kind === "discard") {
            durable += Math.floor((written - durable) * step.part);
            replay.discardBefore(durable);
            expect(replay.firstOffset).toBeLessThanOrEqual(durable);
            expect(durable - replay.firstOffset).toBeLessThan(replayBlockBytes);
          } else {
            const at = durable + Math.floor((written - durable) * step.part);
            if (at === written) continue;
            const piece = await replay.read(at);
            expect(piece!.length).toBeGreaterThan(0);
            expect(Buffer.from(piece!).equals(bytes.subarray(at, at + piece!.length))).toBe(true);
          }
        }
        replay.end();
        expect(replay.sizeBytes).toBe(written);
        expect(await replay.read(written)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  test("makes its writer wait while it is full, and its reader while it is empty", async () => {
    const budget = new ReplayBudget();
    const replay = new MemoryReplayBuffer(budget, 0);
    budget.writers = 1000;
    const reading = replay.read(0);
    const writing = replay.write(new Uint8Array(minReplayBytes)).then(() => "written");
    expect((await reading)?.length).toBe(replayBlockBytes);
    expect(await Promise.race([writing, Bun.sleep(5).then(() => "waits")])).toBe("waits");
    replay.discardBefore(replayBlockBytes);
    expect(await writing).toBe("written");
    const end = replay.read(minReplayBytes).catch((error: unknown) => error);
    const reason = new Error("over");
    replay.close(reason);
    expect(await end).toBe(reason);
    expect(await replay.write(bytes).catch((error: unknown) => error)).toBe(reason);
    expect(budget.writers).toBe(999);
  });

  test("gives each of many writers a smaller share of the budget", () => {
    const budget = new ReplayBudget();
    const shares = [0, 1, 4, 1_000_000].map((writers) => {
      budget.writers = writers;
      return budget.shareBytes;
    });
    expect(shares).toEqual([maxReplayBytes, maxReplayBytes, replayBudgetBytes / 4, minReplayBytes]);
  });
});

describe("a replay buffer of a source", () => {
  test("never reads twice at once, because a source may reuse one buffer", async () => {
    let reads = 0;
    const replay = new SourceReplayBuffer({
      sizeBytes: 10,
      read: async (offset, length) => {
        reads += 1;
        expect(reads).toBe(1);
        await Bun.sleep(1);
        reads -= 1;
        return bytes.subarray(offset, offset + length);
      },
    });
    const pieces = await Promise.all([replay.read(0), replay.read(5), replay.read(10)]);
    expect(pieces.map((piece) => piece?.length)).toEqual([10, 5, undefined]);
  });

  test("fails if the source has shrunk", async () => {
    const replay = new SourceReplayBuffer({ sizeBytes: 10, read: () => bytes.subarray(0, 3) });
    const error = await replay.read(0).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "SOURCE_CHANGED" });
  });
});
