/** Who is signed in with a browser, for whoever may administer the server. */
import { request, requestJson } from "./request.ts";

export interface OpenSession {
  id: string;
  principal: string;
  usedAt: string;
  expiresAt: string;
  /** Of the last use. */
  address: string;
  /** What the browser calls itself. */
  agent: string;
  /** Whether it is that of this page. */
  current: boolean;
}

export async function listSessions(signal: AbortSignal): Promise<OpenSession[]> {
  return (await requestJson<{ sessions: OpenSession[] }>("api/sessions", { signal })).sessions;
}

/** What it has open ends at once. */
export async function endSession(id: string): Promise<void> {
  await request(`api/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
}
