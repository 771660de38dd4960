/** Parts of the operations that make links. */
import * as v from "valibot";
import type { Principal } from "../../../access/principal.ts";
import { durationExpected, parseDuration } from "../../../base/duration.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { maxLinkSeconds } from "../../../base/limits/access.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import type { Parameter } from "../parameters.ts";
import { timeSchema } from "../schemas.ts";

export const linkSchema = v.strictObject({
  /** Relative to the server. */
  url: v.string(),
  link: v.string(),
  expiresAt: timeSchema,
});

const expected = `expected ${durationExpected}, and at most 366d`;

/** In milliseconds. */
export const linkDuration: Parameter<number> = {
  description: `How long the link is valid: ${durationExpected}. Never longer than the caller's own credential.`,
  describes: { type: "string", default: "7d" },
  schema: v.pipe(
    v.optional(v.string(), "7d"),
    v.transform((given) => parseDuration(given) ?? Number.NaN),
    v.check((ms) => ms <= maxLinkSeconds * 1000, expected),
  ),
};

/** When a link that lasts this long expires, in seconds since 1970: not after the credential of whoever shares it. */
export function expiryOf(durationMs: number, principal: Principal): number {
  return Math.floor(
    Math.min(sharedNow() + durationMs, principal.expiresAt ?? Number.POSITIVE_INFINITY) / 1000,
  );
}

/** A link must not outlive the link it came from, nor take what an address may do to other addresses. */
export function refuseResharing(principal: Principal): void {
  if (principal.kind === "link") throw new WavecacheError("FORBIDDEN");
  if (principal.isAnonymous && !principal.may("admin", "server")) throw new WavecacheError("UNAUTHENTICATED");
}

/** The body of the answer. `path`: of what is shared, relative to the server. */
export function linkTo(path: string, link: string, expires: number): v.InferOutput<typeof linkSchema> {
  const url = `${path}${path.includes("?") ? "&" : "?"}link=${link}`;
  return { url, link, expiresAt: new Date(expires * 1000).toISOString() };
}
