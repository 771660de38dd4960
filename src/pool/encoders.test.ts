import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { maxLiveEncodings } from "../base/limits/recordings.ts";
import { failureOf } from "../testing/fixtures/failure-of.ts";
import { testLimitMs, until, within } from "../testing/harness/until.ts";
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

describe("live audio", () => {
  const task = { sampleRate: 1000, channels: 1, past: [] };

  function openLive(encoders: Encoders) {
    const packets: number[][] = [];
    const failures: string[] = [];
    const encoding = encoders.encodeLive(task, {
      packets: (more) => void packets.push(...more.map((packet) => [...packet])),
      failed: ({ code }) => void failures.push(code),
    });
    return { encoding, packets, failures };
  }

  test("is encoded beside sounds, until it is closed", async () => {
    const { encoders } = open();
    const { encoding, packets } = openLive(encoders);
    expect(encoding.push(Uint8Array.of(9, 8, 7))).toBe(true);
    await until("two packets", 5000, () => packets.length === 2);
    expect(packets).toEqual([[9], [8, 7]]);
    encoding.push(Uint8Array.of(9, 8));
    encoding.close();
    expect(encoding.push(Uint8Array.of(9, 8))).toBe(false);
    await expectGood(encoders);
    expect(packets.length).toBe(2);
    await encoders.close();
  });

  test("is skipped while the thread is behind, so that it does not pile up", async () => {
    const { encoders } = open();
    const { encoding, packets } = openLive(encoders);
    const second = new Uint8Array(2000).fill(2);
    const taken = Array.from({ length: 5 }, () => encoding.push(second));
    expect(taken).toEqual([true, true, true, false, false]);
    await encoders.close();
    expect(packets).toEqual([]);
  });

  test("ends when its encoding fails, or the thread dies or hangs", async () => {
    for (const [byte, code] of [
      [3, "BAD_REQUEST"],
      [1, "WORKER_LOST"],
      [2, "WORKER_LOST"],
    ] as const) {
      const { encoders } = open(2_000);
      const { encoding, failures } = openLive(encoders);
      encoding.push(Uint8Array.of(byte, 0));
      await until("the failure", 15_000, () => failures.length === 1);
      expect(failures).toEqual([code]);
      expect(encoding.push(Uint8Array.of(9, 8))).toBe(false);
      await encoders.close();
    }
  });

  test("of more recordings than the limit is refused", async () => {
    const { encoders } = open();
    const all = Array.from({ length: maxLiveEncodings }, () => openLive(encoders));
    expect(() => openLive(encoders)).toThrow("too many listeners");
    all[0]!.encoding.close();
    openLive(encoders);
    await encoders.close();
    expect(() => openLive(encoders)).toThrow();
  });
});
