import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { failureOf } from "../testing/fixtures/failure-of.ts";
import { testLimitMs, within } from "../testing/harness/until.ts";
import { Encoders } from "./encoders.ts";

setDefaultTimeout(testLimitMs);

function open(watchdogMs?: number): { encoders: Encoders; lost: string[] } {
  const lost: string[] = [];
  const entry = new URL("../testing/mocks/odd-encoder.ts", import.meta.url);
  return { encoders: new Encoders({ entry, onLost: (reason) => lost.push(reason), watchdogMs }), lost };
}

function encode(encoders: Encoders, storePath: string) {
  const packets: Uint8Array[] = [];
  const { ended } = encoders.encode({ descriptor: 0, size: 0, storePath }, (more) => packets.push(...more));
  return { packets, ended: within(`the end of ${storePath}`, testLimitMs / 2, ended) };
}

async function expectGood(encoders: Encoders): Promise<void> {
  const { packets, ended } = encode(encoders, "good");
  expect(await ended).toEqual({ kind: "complete", storeProblem: undefined });
  expect(packets).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3)]);
}

describe("the encoding thread", () => {
  test.each(["die", "throw"])(
    "fails its requests if it is made to %s, and encodes the next one",
    async (way) => {
      const { encoders, lost } = open();
      await expectGood(encoders);
      const results = [encode(encoders, "wait"), encode(encoders, way)].map(({ ended }) => ended);
      for (const result of await Promise.allSettled(results)) {
        expect(result).toMatchObject({ status: "rejected", reason: { code: "WORKER_LOST" } });
      }
      expect(lost.length).toBe(1);
      await expectGood(encoders);
      await encoders.close();
      expect(lost.length).toBe(1);
    },
  );

  test("is replaced if it hangs", async () => {
    const { encoders, lost } = open(3_000);
    expect(await failureOf(encode(encoders, "hang").ended)).toBe("WORKER_LOST");
    expect(lost).toEqual(["encoder hangs"]);
    await expectGood(encoders);
    await encoders.close();
  });

  test("is not replaced while it reports that it works", async () => {
    const { encoders, lost } = open(3_000);
    expect(await encode(encoders, "slow").ended).toEqual({ kind: "complete", storeProblem: undefined });
    expect(lost).toEqual([]);
    await encoders.close();
  });

  test("ends when it is closed, and rejects later requests", async () => {
    const { encoders, lost } = open();
    await expectGood(encoders);
    await within("the end of the thread", testLimitMs / 2, encoders.close());
    expect(await failureOf(encode(encoders, "good").ended)).toBe("SHUTTING_DOWN");
    expect(lost).toEqual([]);
  });

  test("that was never started is closed at once", async () => {
    await open().encoders.close();
  });
});
