/** `DELETE /api/recordings/{id}`: removes the recordings of a period of a device, or one recording. */
import * as v from "valibot";
import type { Removal } from "../../../engine/recordings/archive.ts";
import type { Period } from "../../../store/recordings/timeline/catalog.ts";
import type { RecordingRow } from "../../../store/recordings/catalog.ts";
import { findGranted } from "../audio/recordings.ts";
import { json, type Operation, operation } from "../operation.ts";
import { countSchema } from "../schemas.ts";
import { periodOf, periodParameters } from "./parameters.ts";

/** What the operation needs of the engine. */
export interface RemovableRecordings {
  /** Of whatever node. These two reject with RECORDING_UNKNOWN. */
  lookUp(id: number): Promise<RecordingRow>;
  remove(what: number | Period): Promise<Removal>;
}

const removalSchema = v.strictObject({
  /** Recordings. */
  removed: countSchema,
  /** Of their files. */
  bytes: countSchema,
});

export function removeRecordingsOperation(recordings: RemovableRecordings): Operation {
  return operation({
    method: "delete",
    route: "/api/recordings/:id",
    tag: "recordings",
    access: { action: "remove", within: "recordings" },
    summary: "Removes the recordings of a device that lie within a period; without a period, one recording.",
    segments: {
      id: "The device, as for the timeline; without a period, the `id` of a recording in the list.",
    },
    parameters: periodParameters,
    answers: { 200: { description: "What was removed.", schema: removalSchema } },
    errors: ["RECORDING_UNKNOWN", "RECORDINGS_LOST"],
    async handle({ path, query, meter, principal }) {
      const id = path["id"]!;
      if (query.from !== undefined || query.to !== undefined) {
        principal.require("remove", `recordings/${id}`, "RECORDING_UNKNOWN");
        return json(await recordings.remove(periodOf(id, query)), meter);
      }
      const row = await findGranted((each) => recordings.lookUp(each), id, principal, "remove");
      return json(await recordings.remove(row.id), meter);
    },
  });
}
