/** `POST /api/streams/{id}/links` and `POST /api/recordings/{device}/links`: share audio by a link that expires. */
import type { Principal } from "../../../access/principal.ts";
import type { SharedPeriod } from "../../../access/shared-period.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { formatTime } from "../../../base/format-time.ts";
import type { Timeline } from "../../../engine/recordings/by-time/timeline.ts";
import type { Period } from "../../../store/recordings/timeline/catalog.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { deviceSegment, periodOf, periodParameters } from "../by-time/parameters.ts";
import { json, type Operation, operation } from "../operation.ts";
import { expiryOf, linkDuration, linkSchema, linkTo, refuseResharing } from "./link-parameters.ts";

/** What the operations need of access and of the engine. */
export interface LinkSigner {
  /** `expires`: in seconds since 1970. */
  shareStream(streamId: string, expires: number, principal: Principal): string;
  sharePeriod(period: SharedPeriod, expires: number, principal: Principal): string;
}

export interface SharedStreams {
  lookUp(idOrName: string): Promise<StreamRow | null>;
}

export interface SharedRecordings {
  /** Rejects with RECORDING_UNKNOWN. */
  timeline(query: Period & { limit: number }): Promise<Timeline>;
}

const answers = { 201: { description: "The link.", schema: linkSchema } };

export function linkOperations(
  signer: LinkSigner,
  streams: SharedStreams,
  recordings: SharedRecordings,
): Operation[] {
  return [streamLinkOperation(signer, streams), periodLinkOperation(signer, recordings)];
}

function streamLinkOperation(signer: LinkSigner, streams: SharedStreams): Operation {
  return operation({
    method: "post",
    route: "/api/streams/:id/links",
    tag: "streams",
    access: { action: "read", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "Makes a link with which anybody can read the audio of a stream until it expires.",
    segments: { id: "The id of the stream." },
    parameters: { expires: linkDuration },
    answers,
    errors: ["STREAM_UNKNOWN"],
    async handle({ path, query, principal, meter }) {
      refuseResharing(principal);
      const id = path["id"]!;
      const row = await streams.lookUp(id);
      if (row?.streamId !== id) throw new WavecacheError("STREAM_UNKNOWN");
      const expires = expiryOf(query.expires, principal);
      const link = signer.shareStream(id, expires, principal);
      return json(linkTo(`/api/streams/${encodeURIComponent(id)}/audio`, link, expires), meter, 201);
    },
  });
}

function periodLinkOperation(signer: LinkSigner, recordings: SharedRecordings): Operation {
  return operation({
    method: "post",
    route: "/api/recordings/:id/links",
    tag: "recordings",
    access: { action: "read", on: "recordings/:id", unknown: "RECORDING_UNKNOWN" },
    summary: "Makes a link with which anybody can read the audio of a device in a period until it expires.",
    segments: { id: deviceSegment },
    parameters: { ...periodParameters, expires: linkDuration },
    answers,
    errors: ["RECORDING_UNKNOWN"],
    async handle({ path, query, principal, meter }) {
      refuseResharing(principal);
      const name = path["id"]!;
      const period = periodOf(name, query);
      await recordings.timeline({ ...period, limit: 1 });
      const expires = expiryOf(query.expires, principal);
      const link = signer.sharePeriod({ ...period, streamId: query.stream }, expires, principal);
      return json(
        linkTo(`/api/recordings/${encodeURIComponent(name)}/audio?${textOf(period)}`, link, expires),
        meter,
        201,
      );
    },
  });
}

/** The query of the period. */
function textOf({ fromUs, toUs, streamId }: Period): string {
  const stream = streamId === undefined ? "" : `&stream=${streamId}`;
  return `from=${formatTime(fromUs)}&to=${formatTime(toUs)}${stream}`;
}
