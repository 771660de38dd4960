/**
 * Segments that another node records, or has not entered in the catalog since it crashed. Nobody else can read them, and a
 * period that has one must not be silent there.
 */
import type { RecordingCatalog } from "./catalog.ts";
import { segmentStart } from "./repair.ts";
import type { SourcePeriod } from "./timeline/catalog.ts";

export interface OpenElsewhere {
  node: string;
  /** µs since 1970. */
  startUs: number;
}

/**
 * Those that may reach into a period. When such a segment ends is not known, but a device has one connection at a time: the
 * next session of the source begins later.
 */
export function openElsewhereIn(
  recordings: Pick<RecordingCatalog, "startedElsewhere" | "timeline">,
  source: string,
  { fromUs, toUs }: Pick<SourcePeriod, "fromUs" | "toUs">,
): OpenElsewhere[] {
  return recordings.startedElsewhere(source).flatMap(({ name, node }) => {
    const startUs = (segmentStart(name) ?? 0) * 1000;
    const nextUs = recordings.timeline.nextSessionUs(source, startUs) ?? Infinity;
    return startUs < toUs && nextUs > fromUs ? [{ node, startUs }] : [];
  });
}
