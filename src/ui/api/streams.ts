/** The streams of the server: listing, searching, and what one does with one of them. */
import { request, requestJson, withQuery } from "./request.ts";
import type { SharedLink, Stream, StreamPage } from "./resources.ts";

export interface StreamQuery {
  /** Words of id, title, name and tags. */
  text: string;
  sort: string;
  /** Only streams with these tags. */
  tags: Readonly<Record<string, string>>;
}

export function listStreams(
  { text, sort, tags }: StreamQuery,
  page: { after?: string | undefined; limit: number; signal: AbortSignal },
): Promise<StreamPage> {
  const wanted = Object.fromEntries(Object.entries(tags).map(([key, value]) => [`tag.${key}`, value]));
  const { after, limit, signal } = page;
  const path = withQuery("api/streams", { q: text.trim(), sort, after, limit, ...wanted });
  return requestJson<StreamPage>(path, { signal });
}

export function findStream(id: string, signal?: AbortSignal): Promise<Stream> {
  return requestJson<Stream>(pathOf(id), { signal });
}

/** Null removes a tag. */
export function changeTags(id: string, tags: Readonly<Record<string, string | null>>): Promise<Stream> {
  return requestJson<Stream>(pathOf(id), { method: "PATCH", json: { tags } });
}

/** Also as the page closes. */
export async function removeStream(id: string): Promise<void> {
  await request(pathOf(id), { method: "DELETE", keepalive: true });
}

export function shareStream(id: string, expires: string): Promise<SharedLink> {
  return requestJson<SharedLink>(withQuery(`${pathOf(id)}/links`, { expires }), { method: "POST" });
}

export async function pinStream(id: string, isPinned: boolean): Promise<void> {
  await request(`${pathOf(id)}/pin`, { method: isPinned ? "PUT" : "DELETE" });
}

function pathOf(id: string): string {
  return `api/streams/${encodeURIComponent(id)}`;
}
