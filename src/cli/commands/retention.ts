/** `retention`: shows what a server keeps, and what it would remove next. */
import type { CAC } from "cac";
import {
  getRetention,
  getRetentionPlan,
  type Retention,
  type RetentionPlan,
} from "../../client/http/retention.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { countOption, flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { printResult } from "../kit/results.ts";
import { humanBytes, humanTime, plural, table } from "../kit/text.ts";

const maxShown = 1000;

export function registerRetention(cli: CAC, context: Context): void {
  const command = cli
    .command("retention", "Show what the server keeps: usage, limits and growth")
    .option("--dry-run", "List what the next run would remove, and why, instead")
    .option("--limit <count>", "Maximum number of removals to list", { default: "100" });
  jsonOption(serverOption(command))
    .example("  $ bun run client retention")
    .example("  $ bun run client retention --dry-run")
    .action((options: Options) => retention(options, context));
}

async function retention(options: Options, context: Context): Promise<void> {
  const api = apiSettings(options, context);
  if (flagOption(options, "dry-run")) {
    const plan = await getRetentionPlan(countOption(options, "limit", 1, maxShown), api);
    printResult(options, context.terminal, { json: plan, lines: planLines(plan) });
  } else {
    const usage = await getRetention(api);
    printResult(options, context.terminal, { json: usage, lines: usageLines(usage) });
  }
}

function usageLines({ streams, recordings, disks, policies }: Retention): string[] {
  const stored = [
    ["STORED", "COUNT", "BYTES", "LIMIT"],
    ["streams", String(streams.count), humanBytes(streams.bytes), humanBytes(streams.limitBytes)],
    ["recordings", String(recordings.count), humanBytes(recordings.bytes), "-"],
  ];
  const diskRows = disks.map(({ holds, freeBytes, totalBytes, growthBytesPerDay, fullAt }) => [
    holds.join(", "),
    humanBytes(freeBytes),
    humanBytes(totalBytes),
    growthBytesPerDay === null ? "-" : signedBytes(growthBytesPerDay),
    fullAt === null ? "-" : humanTime(fullAt),
  ]);
  const policyRows = policies.map(({ pattern, mode, maxAgeSeconds, maxBytes, minFreeBytes, usedBytes }) => [
    pattern,
    mode,
    maxAgeSeconds === null ? "-" : humanAge(maxAgeSeconds),
    bytesOrDash(maxBytes),
    bytesOrDash(minFreeBytes),
    humanBytes(usedBytes),
  ]);
  return [
    ...table(stored, [1, 2, 3]),
    "",
    ...table([["DISK OF", "FREE", "SIZE", "GROWTH A DAY", "FULL"], ...diskRows], [1, 2, 3]),
    "",
    ...(policies.length === 0
      ? ["no policies: nothing is removed to make room"]
      : table([["POLICY", "MODE", "MAX AGE", "MAX BYTES", "MIN FREE", "USED"], ...policyRows], [2, 3, 4, 5])),
  ];
}

function planLines({ removals, count, freedBytes, isComplete }: RetentionPlan): string[] {
  if (count === 0) return ["nothing would be removed"];
  const head = ["KIND", "ID", "OF", "SIZE", "LAST USED", "LIMIT", "POLICY"];
  const rows = removals.map(({ kind, id, name, bytes, usedAt, reason, pattern }) => [
    kind,
    id,
    name === id ? "-" : name,
    humanBytes(bytes),
    humanTime(usedAt),
    reason,
    pattern,
  ]);
  const amount = `${isComplete ? "" : "more than "}${count} ${plural(count, "removal")}`;
  return [...table([head, ...rows], [3]), `${amount} would free ${humanBytes(freedBytes)}`];
}

function bytesOrDash(bytes: number | null): string {
  return bytes === null ? "-" : humanBytes(bytes);
}

function signedBytes(bytes: number): string {
  return `${bytes < 0 ? "-" : "+"}${humanBytes(Math.round(Math.abs(bytes)))}`;
}

const units: [seconds: number, unit: string][] = [
  [24 * 3600, "d"],
  [3600, "h"],
  [60, "m"],
];

function humanAge(seconds: number): string {
  const [size, unit] = units.find(([each]) => seconds % each === 0) ?? [1, "s"];
  return `${seconds / size}${unit}`;
}
