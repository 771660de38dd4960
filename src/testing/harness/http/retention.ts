/** A client of the HTTP API of retention. */

export interface RetentionReport {
  streams: { bytes: number; count: number; limitBytes: number; unfinishedBytes: number };
  recordings: { bytes: number; count: number; unfinishedBytes: number };
  disks: { holds: string[]; freeBytes: number; totalBytes: number; fullAt: string | null }[];
  policies: { pattern: string; mode: string; maxBytes: number | null; usedBytes: number; count: number }[];
}

export interface PlannedRemoval {
  kind: string;
  id: string;
  name: string;
  reason: string;
  pattern: string;
  bytes: number;
  freedBytes: number;
}

export interface RetentionPlan {
  removals: PlannedRemoval[];
  count: number;
  freedBytes: number;
  isComplete: boolean;
}

async function json<T>(url: string, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(url, { headers });
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

export function retentionReport(
  httpBase: string,
  headers?: Record<string, string>,
): Promise<RetentionReport> {
  return json(`${httpBase}/api/retention`, headers);
}

export function retentionPlan(httpBase: string): Promise<RetentionPlan> {
  return json(`${httpBase}/api/retention/plan`);
}

/** Pins or unpins a stream. Returns the status. */
export async function pinStream(httpBase: string, id: string, isPinned = true): Promise<number> {
  const method = isPinned ? "PUT" : "DELETE";
  return (await fetch(`${httpBase}/api/streams/${id}/pin`, { method })).status;
}
