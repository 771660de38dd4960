import type { RecordingKeeper } from "../../store/recordings/keeper.ts";
import type { JoinResult } from "../../store/recordings/joins/keeper.ts";

const hourMs = 3_600_000;

/** Joins the segments of every hour, and removes what that leaves over. */
export async function joinAll(
  keeper: RecordingKeeper,
  folder: string,
  keepPackets: boolean,
): Promise<JoinResult> {
  const total: JoinResult = { segments: 0, recordings: 0, problems: [] };
  for (let from = 0; ;) {
    const hour = keeper.joinable({ from, hourMs });
    if (hour === null) break;
    for (const session of hour.sessions) {
      const range = { from: hour.from, to: hour.from + hourMs };
      const joined = await keeper.join({ folder, session, ...range, keepPackets, now: 1 });
      total.segments += joined.segments;
      total.recordings += joined.recordings;
      total.problems.push(...joined.problems);
    }
    from = hour.from + hourMs;
  }
  keeper.settleJoins({ folder, before: 2 });
  return total;
}
