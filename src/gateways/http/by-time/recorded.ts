/** `GET /api/recorded`: the devices that there is audio of. */
import * as v from "valibot";
import { recordingResource } from "../../../access/actions.ts";
import { visibleRows } from "../../../access/visible.ts";
import { formatTime } from "../../../base/format-time.ts";
import { maxListedRecordings } from "../../../base/limits/recordings.ts";
import type { RecordedSource } from "../../../store/recordings/timeline/catalog.ts";
import { json, type Operation, operation } from "../operation.ts";
import { after, limit } from "../parameters.ts";
import { countSchema, exactTimeSchema } from "../schemas.ts";

/** What the operation needs of the engine. */
export interface RecordedSources {
  sources(after: string, limit: number): Promise<RecordedSource[]>;
}

const pageSchema = v.strictObject({
  devices: v.array(
    v.strictObject({
      /** What the other operations on recordings call it. */
      name: v.string(),
      /** Null for a stream without a hardware id. */
      device: v.nullable(v.string()),
      streamId: countSchema,
      earliest: exactTimeSchema,
      latest: exactTimeSchema,
    }),
  ),
  next: v.nullable(v.string()),
});

export function recordedOperation(recordings: RecordedSources): Operation {
  return operation({
    method: "get",
    route: "/api/recorded",
    tag: "recordings",
    access: { action: "list", within: "recordings" },
    summary: "Lists the devices that there are recordings of, with the bounds of their audio.",
    parameters: { after: after("the name of a device"), limit: limit(maxListedRecordings) },
    answers: { 200: { description: "A page of devices.", schema: pageSchema } },
    errors: [],
    async handle({ query, principal, meter }) {
      const rows = await visibleRows<RecordedSource>({
        limit: query.limit,
        read: (last, max) => recordings.sources(last === undefined ? query.after : keyOf(last), max),
        isVisible: ({ device, streamId }) => principal.may("list", recordingResource(device, streamId)),
      });
      const next = rows.length === query.limit ? keyOf(rows.at(-1)!) : null;
      return json({ devices: rows.map(describe), next }, meter);
    },
  });
}

function keyOf({ device, streamId }: RecordedSource): string {
  return device ?? `#${streamId}`;
}

function describe({ device, streamId, earliestUs, latestUs }: RecordedSource) {
  const bounds = { earliest: formatTime(earliestUs), latest: formatTime(latestUs) };
  return { name: device ?? String(streamId), device, streamId, ...bounds };
}
