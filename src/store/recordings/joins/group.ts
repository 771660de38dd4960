/** Which segments become one recording, and what the catalog has of it. */
import { maxSegmentBytes, maxSegmentLosses } from "../../../base/limits/recordings.ts";
import {
  type Loss,
  type RecordedFile,
  type RecordedWav,
  type RecordingEntry,
  spanOf,
} from "../../../base/recording-entry.ts";
import type { RecordingRow } from "../catalog.ts";

/** Runs of at least two segments that follow each other without a gap, by position. */
export function groupsOf(
  rows: readonly RecordingRow[],
  staysAsItIs: (row: RecordingRow) => boolean,
): RecordingRow[][] {
  const groups: RecordingRow[][] = [];
  for (const row of rows) {
    const last = groups.at(-1);
    if (staysAsItIs(row)) groups.push([]);
    else if (last === undefined || !fits(last, row)) groups.push([row]);
    else last.push(row);
  }
  return groups.filter((group) => group.length > 1);
}

function fits(group: readonly RecordingRow[], row: RecordingRow): boolean {
  const last = group.at(-1);
  if (last === undefined) return true;
  const isNext = last.placement.position + spanOf(last) === row.placement.position;
  const bytes = group.reduce((sum, { wav, bin }) => sum + Math.max(wav.bytes, bin.bytes), 0);
  const losses = group.reduce((sum, { placement }) => sum + placement.losses.length, 0);
  return (
    isNext &&
    last.codec === row.codec &&
    last.account === row.account &&
    bytes + Math.max(row.wav.bytes, row.bin.bytes) <= maxSegmentBytes &&
    losses + row.placement.losses.length <= maxSegmentLosses
  );
}

/** The recording that replaces a group. */
export function joinedEntry(
  rows: readonly RecordingRow[],
  name: string,
  files: { bin: RecordedFile; wav: RecordedWav },
): RecordingEntry {
  const first = rows[0]!;
  const sum = (of: (row: RecordingRow) => number) => rows.reduce((total, row) => total + of(row), 0);
  const orders = new Set(rows.map(({ nibbleOrder }) => nibbleOrder));
  return {
    ...first,
    name,
    endedAt: Math.max(...rows.map(({ endedAt }) => endedAt)),
    frames: sum(({ frames }) => frames),
    samples: sum(({ samples }) => samples),
    gaps: sum(({ gaps }) => gaps),
    lostFrames: sum(({ lostFrames }) => lostFrames),
    nibbleOrder: orders.size === 1 ? first.nibbleOrder : null,
    placement: { ...first.placement, losses: joinedLosses(rows) },
    ...files,
  };
}

/** A loss counts the samples of its file before it. */
function joinedLosses(rows: readonly RecordingRow[]): Loss[] {
  let before = 0;
  return rows.flatMap(({ samples, placement }) => {
    const losses = placement.losses.map((loss) => ({ at: before + loss.at, samples: loss.samples }));
    before += samples;
    return losses;
  });
}
