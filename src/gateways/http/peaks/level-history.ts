/** `GET /api/recordings/{device}/levels`: how loud a device was in a range of time. */
import * as v from "valibot";
import { defaultPeakPoints } from "../../../base/limits/peaks.ts";
import type { RangeLevels } from "../../../store/recordings/peaks/levels-query.ts";
import { json, type Operation, operation } from "../operation.ts";
import { exactTime } from "../parameters.ts";
import { countSchema, timeSchema } from "../schemas.ts";
import { deviceSegment } from "../by-time/parameters.ts";
import { pointsParameter } from "./answer.ts";
import { rangeOf } from "./range.ts";

/** What the operation needs of the engine. */
export interface LevelledRecordings {
  /** Rejects with RECORDING_UNKNOWN. Times are in ms since 1970. */
  levels(name: string, range: { from: number; to: number; points: number }): Promise<RangeLevels>;
}

/** In dBFS; null for a point without audio. */
const levelsEntry = v.array(v.nullable(v.number()));

const levelsSchema = v.strictObject({
  /** When the first point begins. */
  from: timeSchema,
  /** Duration of a point. */
  pointMs: countSchema,
  length: countSchema,
  peak: levelsEntry,
  rms: levelsEntry,
  /** Points in which samples are clipped, as the first and one after the last. */
  clipping: v.array(v.pipe(v.array(countSchema), v.length(2))),
});

export function levelHistoryOperation(recordings: LevelledRecordings): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/levels",
    tag: "recordings",
    access: { action: "read", on: "recordings/:id", unknown: "RECORDING_UNKNOWN" },
    summary: "Peak, RMS and clipping of a device's finished recordings in a range of time.",
    segments: { id: deviceSegment },
    parameters: {
      from: exactTime(
        "The start of the range, in RFC 3339 or milliseconds since 1970; else a day before its end.",
      ),
      to: exactTime("The end of the range; else now."),
      points: pointsParameter,
    },
    answers: { 200: { description: "The levels.", schema: levelsSchema } },
    errors: ["RECORDING_UNKNOWN"],
    async handle({ path, query, meter }) {
      const range = rangeOf(query);
      const points = query.points ?? defaultPeakPoints;
      const { pointMs, peak, rms, clipping } = await recordings.levels(path["id"]!, { ...range, points });
      const from = new Date(range.from).toISOString();
      return json({ from, pointMs, length: peak.length, peak, rms, clipping }, meter);
    },
  });
}
