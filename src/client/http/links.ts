/** Signed links to streams, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, httpOrigin, isUnknown, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_HTTP_API";

const linkSchema = v.object({
  /** Relative to the server. */
  url: v.string(),
  /** The link alone: the name of its song, for the song protocols. */
  link: v.string(),
  /** ISO 8601. */
  expiresAt: v.string(),
});

export type SharedLink = v.InferOutput<typeof linkSchema>;

/** `expires`: a duration such as `7d`. The URL is absolute. Undefined if there is no such stream. */
export async function shareStream(
  streamId: string,
  expires: string,
  options: ApiOptions,
): Promise<SharedLink | undefined> {
  const path = `/api/streams/${encodeURIComponent(streamId)}/links?expires=${encodeURIComponent(expires)}`;
  const answer = await request(options, "POST", path);
  if (isUnknown(answer)) return undefined;
  throwUnlessOk(answer, missing);
  const link = parsed(linkSchema, answer.body, missing);
  return { ...link, url: new URL(link.url, httpOrigin(options.url)).href };
}
