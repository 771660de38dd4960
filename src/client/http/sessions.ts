/** The sessions of browsers, over the HTTP API. */
import * as v from "valibot";
import { type ApiOptions, isUnknown, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_HTTP_API";

const sessionSchema = v.object({
  id: v.string(),
  principal: v.string(),
  /** ISO 8601, like all times. */
  openedAt: v.string(),
  usedAt: v.string(),
  expiresAt: v.string(),
  /** Of the last use. */
  address: v.string(),
  /** What the browser calls itself. */
  agent: v.string(),
});

export type ListedSession = v.InferOutput<typeof sessionSchema>;

/** The one that was used last first. Throws REFUSED without the action `admin`. */
export async function listSessions(options: ApiOptions): Promise<ListedSession[]> {
  const answer = await request(options, "GET", "/api/sessions?limit=1000");
  throwUnlessOk(answer, missing);
  return parsed(v.object({ sessions: v.array(sessionSchema) }), answer.body, missing).sessions;
}

/** Ends a session, and what it has open; false if there is none with this id. */
export async function endSession(id: string, options: ApiOptions): Promise<boolean> {
  const answer = await request(options, "DELETE", `/api/sessions/${encodeURIComponent(id)}`);
  if (isUnknown(answer)) return false;
  throwUnlessOk(answer, missing);
  return true;
}
