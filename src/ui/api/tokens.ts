/** Tokens, and the audit, for whoever may administer the server. */
import { request, requestJson, withQuery } from "./request.ts";

export interface Token {
  id: string;
  grants: string[];
  note: string;
  createdAt: string;
  expiresAt: string | null;
  usedAt: string | null;
  revokedAt: string | null;
}

export interface NewToken extends Token {
  /** The answer to its creation alone has its text. */
  token: string;
}

export interface TokenSpec {
  grants: string[];
  note: string;
  /** A duration, such as `90d`. */
  expires?: string;
}

export interface AuditEntry {
  at: string;
  principal: string;
  action: string;
  resource: string;
  address: string;
  outcome: string;
}

export async function listTokens(signal: AbortSignal): Promise<Token[]> {
  return (await requestJson<{ tokens: Token[] }>("api/tokens", { signal })).tokens;
}

export function createToken(spec: TokenSpec): Promise<NewToken> {
  return requestJson<NewToken>("api/tokens", { method: "POST", json: spec });
}

/** What uses it ends at once. */
export async function revokeToken(id: string): Promise<void> {
  await request(`api/tokens/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** Newest first. */
export async function readAudit(limit: number, signal: AbortSignal): Promise<AuditEntry[]> {
  const path = withQuery("api/audit", { limit });
  return (await requestJson<{ entries: AuditEntry[] }>(path, { signal })).entries;
}
