/**
 * Refuses limits under which incomplete messages could take up the memory: each connection may hold one, and Bun
 * reports a message only when it is complete.
 */
import { totalmem } from "node:os";
import {
  defaultMaxConnections,
  defaultMaxMessageBytes,
  maxMessageMemoryShare,
} from "../base/limits/connections.ts";
import { MiB } from "../base/limits/units.ts";
import { type Config, ConfigError } from "./schema.ts";

/** The memory that this process may use: of the machine, or of its container. */
export function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** The limit of connections. The default shrinks with the memory; values that were chosen are refused instead. */
export function connectionsInMemory(
  { maxConnections, maxMessageBytes }: Pick<Config, "maxConnections" | "maxMessageBytes">,
  memoryBytes: number,
): number {
  const fitting = Math.floor((memoryBytes * maxMessageMemoryShare) / maxMessageBytes);
  if (maxConnections <= fitting) return maxConnections;
  const isDefault = maxConnections === defaultMaxConnections && maxMessageBytes === defaultMaxMessageBytes;
  if (isDefault) return Math.max(1, fitting);
  throw new ConfigError(
    `--max-connections ${maxConnections} times --max-message-bytes ${mebibytes(maxMessageBytes)} is more than half of ` +
      `the memory (${mebibytes(memoryBytes)}): lower one of them, for example to --max-connections ${fitting}`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / MiB)}MiB`;
}
