/** `POST /api/streams/{id}/links`: shares a stream by a link that expires. */
import * as v from "valibot";
import type { Principal } from "../../../access/principal.ts";
import { durationExpected, parseDuration } from "../../../base/duration.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { maxLinkSeconds } from "../../../base/limits/access.ts";
import type { StreamRow } from "../../../store/streams/catalog.ts";
import { json, type Operation, operation } from "../operation.ts";
import type { Parameter } from "../parameters.ts";
import { timeSchema } from "../schemas.ts";

/** What the operation needs of access and of the engine. */
export interface LinkSigner {
  /** `expires`: in seconds since 1970. */
  shareStream(streamId: string, expires: number, principal: Principal): string;
}

export interface SharedStreams {
  lookUp(idOrName: string): Promise<StreamRow | null>;
}

const linkSchema = v.strictObject({
  /** Relative to the server. */
  url: v.string(),
  link: v.string(),
  expiresAt: timeSchema,
});

const expected = `expected ${durationExpected}, and at most 366d`;

/** In milliseconds. */
const duration: Parameter<number> = {
  description: `How long the link is valid: ${durationExpected}. Never longer than the caller's own credential.`,
  describes: { type: "string", default: "7d" },
  schema: v.pipe(
    v.optional(v.string(), "7d"),
    v.transform((given) => parseDuration(given) ?? Number.NaN),
    v.check((ms) => ms <= maxLinkSeconds * 1000, expected),
  ),
};

export function linkOperation(signer: LinkSigner, streams: SharedStreams): Operation {
  return operation({
    method: "post",
    route: "/api/streams/:id/links",
    tag: "streams",
    access: { action: "read", on: "streams/:id", unknown: "STREAM_UNKNOWN" },
    summary: "Makes a link with which anybody can read the audio of a stream until it expires.",
    segments: { id: "The id of the stream." },
    parameters: { expires: duration },
    answers: { 201: { description: "The link.", schema: linkSchema } },
    errors: ["STREAM_UNKNOWN"],
    async handle({ path, query, principal, meter }) {
      refuseResharing(principal);
      const id = path["id"]!;
      const row = await streams.lookUp(id);
      if (row?.streamId !== id) throw new WavecacheError("STREAM_UNKNOWN");
      const expiresMs = Math.min(Date.now() + query.expires, principal.expiresAt ?? Number.POSITIVE_INFINITY);
      const expires = Math.floor(expiresMs / 1000);
      const link = signer.shareStream(id, expires, principal);
      const url = `/api/streams/${encodeURIComponent(id)}/audio?link=${link}`;
      return json({ url, link, expiresAt: new Date(expires * 1000).toISOString() }, meter, 201);
    },
  });
}

/** A link must not outlive the link it came from, nor take what an address may do to other addresses. */
function refuseResharing(principal: Principal): void {
  if (principal.kind === "link") throw new WavecacheError("FORBIDDEN");
  if (principal.isAnonymous && !principal.may("admin", "server")) throw new WavecacheError("UNAUTHENTICATED");
}
