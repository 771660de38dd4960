/** Signed links to streams and to periods of devices, over the HTTP API. */
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
  return await share(`/api/streams/${encodeURIComponent(streamId)}/links`, { expires }, options);
}

/** Shares what a device has recorded in a period. Undefined if there is no audio of the device. */
export async function sharePeriod(
  { device, from, to }: { device: string; from: Date; to: Date },
  expires: string,
  options: ApiOptions,
): Promise<SharedLink | undefined> {
  const query = { from: from.toISOString(), to: to.toISOString(), expires };
  return await share(`/api/recordings/${encodeURIComponent(device)}/links`, query, options);
}

async function share(
  path: string,
  query: Record<string, string>,
  options: ApiOptions,
): Promise<SharedLink | undefined> {
  const answer = await request(options, "POST", `${path}?${new URLSearchParams(query)}`);
  if (isUnknown(answer)) return undefined;
  throwUnlessOk(answer, missing);
  const link = parsed(linkSchema, answer.body, missing);
  return { ...link, url: new URL(link.url, httpOrigin(options.url)).href };
}
