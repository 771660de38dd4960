/** Progress, timing and report lines of transfers. */
import type { Digests } from "../../client/digests.ts";
import type { Context } from "../kit/context.ts";
import { humanBytes, humanDuration, megabitsPerSecond } from "../kit/text.ts";

/** Runs a transfer with a progress bar and measures its duration. */
export async function timed<T>(
  context: Context,
  label: string,
  totalBytes: number | undefined,
  transfer: (onProgress: (bytes: number) => void, rename: (label: string) => void) => Promise<T>,
): Promise<{ result: T; ms: number }> {
  const progress = context.terminal.progress(label, totalBytes);
  const startMs = performance.now();
  try {
    const result = await transfer(
      (bytes) => progress.update(bytes),
      (newLabel) => progress.rename(newLabel),
    );
    return { result, ms: performance.now() - startMs };
  } finally {
    progress.end();
  }
}

/** "3.91 MiB in 42 ms, 780.2 Mbps". */
export function speedText(bytes: number, ms: number): string {
  return `${humanBytes(bytes)} in ${humanDuration(ms)}, ${megabitsPerSecond(bytes, ms).toFixed(1)} Mbps`;
}

/** A report row for what was there before this command; none if that is nothing. */
export function keptRows(bytes: number): string[][] {
  return bytes > 0 ? [["Before", `${humanBytes(bytes)} were there already`]] : [];
}

/** Report rows, one per digest. */
export function digestRows(digests: Digests): string[][] {
  const rows: string[][] = [];
  if (digests.sha256 !== undefined) rows.push(["SHA-256", digests.sha256]);
  if (digests.md5 !== undefined) rows.push(["MD5", digests.md5]);
  return rows;
}
