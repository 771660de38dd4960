/** What the soak prints. */
import type { Round } from "./soak.ts";

export function roundLine(round: Round, kills: number): string {
  const { number, crash, acknowledged, removed, unfinished, reads, recordings, startMs, faults } = round;
  const verdict = faults.length === 0 ? "ok" : `${faults.length} FAULTS`;
  return [
    `${number}/${kills}`.padEnd(8),
    `${crash.kind}: ${crash.what}`.padEnd(30),
    `acknowledged ${acknowledged}`.padEnd(20),
    `removed ${removed}`.padEnd(15),
    `unfinished ${unfinished}`.padEnd(15),
    `reads ${reads}`.padEnd(11),
    `recordings ${recordings}`.padEnd(14),
    `start ${Math.round(startMs)} ms`.padEnd(15),
    verdict,
  ].join(" ");
}

/** A table of the kinds of crash, and the totals. */
export function summary(rounds: readonly Round[], elapsedMs: number): string {
  const byKind = Map.groupBy(rounds, ({ crash }) => crash.kind);
  const rows = [...byKind].map(([kind, each]) => [
    kind,
    String(each.length),
    String(sum(each, ({ reads }) => reads)),
    String(sum(each, ({ recordings }) => recordings)),
    `${Math.round(Math.max(...each.map(({ startMs }) => startMs)))} ms`,
    String(sum(each, ({ faults }) => faults.length)),
  ]);
  const table = [["killed at", "kills", "reads", "recordings", "longest start", "faults"], ...rows];
  const last = rounds.at(-1);
  return [
    ...table.map((row) =>
      row
        .map((cell, at) => cell.padEnd(at === 0 ? 18 : 15))
        .join("")
        .trimEnd(),
    ),
    "",
    `${rounds.length} kills in ${Math.round(elapsedMs / 1000)} s: ${last?.acknowledged ?? 0} streams acknowledged, ` +
      `${last?.removed ?? 0} removed, ${sum(rounds, ({ faults }) => faults.length)} faults`,
  ].join("\n");
}

function sum(rounds: readonly Round[], of: (round: Round) => number): number {
  return rounds.reduce((total, round) => total + of(round), 0);
}
