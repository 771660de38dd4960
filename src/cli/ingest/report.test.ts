import { describe, expect, test } from "bun:test";
import { ClientError } from "../../client/errors.ts";
import { failureOf } from "../kit/failures.ts";
import type { IngestOutcome, IngestTotals } from "./fleet.ts";
import { failureAmong, liveLine, type IngestRun, summary } from "./report.ts";

const format = {
  codec: "adpcm",
  nibbles: "low",
  sampleRate: 16_000,
  channels: 1,
  frameSamples: 320,
} as const;
const run: IngestRun = { format, streams: 1, firstStreamId: 7, realtime: true, url: "ws://h/ws" };
const totals: IngestTotals = {
  frames: 600,
  samples: 192_000,
  bytes: 105_600,
  lagMs: 2.6,
  maxLagMs: 40,
  connecting: 0,
};

function ended(
  result: Partial<{ ended: boolean; lostConnections: number; code: number | undefined }> = {},
): IngestOutcome {
  const { ended = true, lostConnections = 0 } = result;
  const code = "code" in result ? result.code : 1000;
  const close = code === undefined ? undefined : { code, reason: "" };
  return { streamId: 7, result: { ended, lostConnections, close } };
}

describe("the status line", () => {
  test("has totals, but the speed since the previous line", () => {
    const previous = { samples: 184_000, elapsedMs: 11_000 };
    expect(liveLine(run, totals, 12_000, previous)).toBe(
      "12.0 s  600 frames  103.13 KiB  0.50x real time  lag 3 ms",
    );
  });

  test("counts streams and connecting ones, and has no lag without --realtime", () => {
    const many = { ...run, streams: 4, realtime: false };
    const first = { samples: 0, elapsedMs: 0 };
    expect(liveLine(many, { ...totals, connecting: 2 }, 1_000, first)).toBe(
      "4 streams  1.0 s  600 frames  103.13 KiB  3.00x real time  2 connecting",
    );
  });
});

describe("the end of a stream", () => {
  const failures: [title: string, outcomes: IngestOutcome[], line: string | undefined][] = [
    ["is good after a normal close", [ended(), ended({ code: 1005 })], undefined],
    ["is good if the user ended it", [ended({ ended: false })], undefined],
    [
      "is bad without a close from the server",
      [ended({ code: undefined })],
      "error: the server does not answer the goodbye (",
    ],
    [
      "is bad after an abnormal close",
      [ended({ code: 1011 })],
      "error: the server closed with 1011 at the end (",
    ],
    [
      "is bad after lost connections",
      [ended({ lostConnections: 2 })],
      "error: 2 connections lost on the way (",
    ],
    [
      "is bad if one of several is",
      [
        ended(),
        { streamId: 8, error: new ClientError("REFUSED", "closed with 1008") },
        ended({ code: 1006 }),
      ],
      "error: 2 of 3 streams failed: the server refused: closed with 1008 (",
    ],
    [
      "is bad after any other error",
      [{ streamId: 8, error: new RangeError("frame 3 is not kept any more") }],
      "error: frame 3 is not kept any more (",
    ],
  ];
  for (const [title, outcomes, line] of failures) {
    test(title, () => {
      const failure = failureAmong(outcomes);
      const result = summary({ ...run, streams: outcomes.length }, totals, outcomes, 1_000).lines.at(-1);
      if (line === undefined) {
        expect(failure).toBeUndefined();
        expect(result).not.toContain("FAILED");
      } else {
        expect(failureOf(failure).line).toStartWith(line);
        expect(result).toContain("FAILED");
      }
    });
  }
});
