/** What the soak of a cluster prints. */
import { MiB } from "../../../base/limits/units.ts";
import type { ClusterProgress, ClusterSoakOutcome } from "./soak.ts";

const maxListed = 30;

export function progressLine(progress: ClusterProgress): string {
  const { acknowledged, bytes, reads, recordedSeconds, heardSeconds, commands, faults, findings } = progress;
  return [
    `acknowledged ${acknowledged} (${mebibytes(bytes)})`,
    `reads ${reads}`,
    `recorded ${Math.round(recordedSeconds)} s`,
    `heard ${Math.round(heardSeconds)} s`,
    `commands ${commands}`,
    `faults ${faults}`,
    findings === 0 ? "ok" : `${findings} FINDINGS`,
  ].join("  ");
}

export function summary(outcome: ClusterSoakOutcome, elapsedMs: number): string {
  const { happened, failures, uploadsBy, largest } = outcome;
  const { memoryBytes = 0, ...queues } = largest;
  const rows: readonly (readonly [what: string, found: string])[] = [
    ["time", `${Math.round(elapsedMs / 1000)} s`],
    [
      "acknowledged",
      `${outcome.acknowledged} streams, ${mebibytes(outcome.bytes)}; ${outcome.removals} removed`,
    ],
    ["uploads by", `${listed(uploadsBy)}; ${outcome.resumed} took several attempts`],
    ["reads", `${outcome.reads}, ${mebibytes(outcome.readBytes)}`],
    ["songs", `${outcome.songs}, ${outcome.songReads} reads`],
    ["devices", `${seconds(outcome.sentSeconds)} sent over ${outcome.deviceConnections} connections`],
    [
      "recordings",
      `${outcome.recordings}: ${seconds(outcome.wholeSeconds)} right as a whole, ${seconds(outcome.periodSeconds)} by time; ` +
        `${outcome.served} reads`,
    ],
    [
      "heard live",
      `${seconds(outcome.heardSeconds)}, ${outcome.gapsHeard} gaps; ${outcome.opusPackets} packets of Opus`,
    ],
    ["commands", `${outcome.commands} shown, ${outcome.commandsRefused} refused`],
    ["largest", `memory ${mebibytes(memoryBytes)}, ${listed(queues)}`],
    ["longest start", seconds(outcome.longestStartMs / 1000)],
    ["faults", listed(happened)],
    ["failed attempts", listed(failures)],
    ["findings", String(outcome.findings.length)],
    ...(outcome.logs === undefined ? [] : [["logs", outcome.logs] as const]),
  ];
  return rows.map(([what, found]) => `${what.padEnd(16)} ${found}`).join("\n");
}

/** The most frequent ones first. */
function listed(counts: object): string {
  const entries = Object.entries(counts).toSorted(([, a], [, b]) => Number(b) - Number(a));
  const shown = entries.slice(0, maxListed).map(([what, count]) => `${what} ${count}`);
  if (entries.length > maxListed) shown.push(`${entries.length - maxListed} others`);
  return shown.length === 0 ? "none" : shown.join(", ");
}

const mebibytes = (bytes: number): string => `${Math.round(bytes / MiB)} MiB`;
const seconds = (count: number): string => `${Math.round(count)} s`;
