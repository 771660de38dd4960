/**
 * Fail points: named places where a test can kill the process or make a call fail. The environment sets them before the
 * start; otherwise they do nothing:
 *
 *     WAVECACHE_FAILPOINTS="commit.3=kill,upload.write*5=ENOSPC"
 *
 * Actions: `kill` sends SIGKILL to the process, `exit-worker` ends the thread, and the name of a system error throws
 * that error. `*5` acts on the fifth passage of a thread only; without it every passage acts. A thread that replaces a
 * dead thread has no fail points: it would die in the same place.
 */

interface FailPoint {
  action: string;
  /** The passage that acts; undefined if every passage does. */
  passage: number | undefined;
  passed: number;
}

const variable = "WAVECACHE_FAILPOINTS";
const points = parse(process.env[variable] ?? "");

/** Acts if this fail point is set. */
export const failpoint: (name: string) => void = points.size === 0 ? () => {} : pass;

function pass(name: string): void {
  const point = points.get(name);
  if (point === undefined) return;
  point.passed += 1;
  if (point.passage !== undefined && point.passed !== point.passage) return;
  if (point.action === "kill") process.kill(process.pid, "SIGKILL");
  if (point.action === "exit-worker") process.exit(70);
  throw Object.assign(new Error(`${point.action}: fail point ${name}`), { code: point.action });
}

/** The environment of a thread that replaces a dead thread. */
export function replacementEnvironment(): Record<string, string | undefined> {
  return { ...process.env, [variable]: "" };
}

function parse(text: string): Map<string, FailPoint> {
  const found = new Map<string, FailPoint>();
  for (const entry of text.split(",").filter(Boolean)) {
    const match = /^([a-z.0-9]+)(?:\*(\d+))?=([A-Za-z_-]+)$/.exec(entry.trim());
    if (match === null) throw new Error(`${variable}: cannot read "${entry}"`);
    const [, name, passage, action] = match;
    found.set(name!, { action: action!, passage: passage ? Number(passage) : undefined, passed: 0 });
  }
  return found;
}
