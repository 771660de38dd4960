/** Who the user of the page is, and what they may do. */
import { computed, effect, signal } from "@preact/signals";
import { PageGrants } from "../api/grants.ts";
import { type ApiError, refusals, request, requestJson } from "../api/request.ts";
import type { Session } from "../api/resources.ts";
import { reconnections } from "./connection.ts";

/** Undefined until the server has answered. */
export const session = signal<Session | undefined>(undefined);
/** Whether the page asks for a token. */
export const asksForToken = signal(false);
export const grants = computed(() => new PageGrants(session.value?.grants ?? []));

const path = "api/session";

/** Follows the session as long as the page is open. */
export function followSession(): () => void {
  refusals.addEventListener("unauthenticated", () => (asksForToken.value = true));
  return effect(() => {
    void reconnections.value;
    void load();
  });
}

async function load(): Promise<void> {
  try {
    session.value = await requestJson<Session>(path);
    if (session.value.grants.length === 0) asksForToken.value = true;
  } catch {
    // The connection's state shows it, and the session is loaded when the server is back.
  }
}

/** Throws `ApiError` for a token that the server does not know. */
export async function signIn(token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token.trim()}` };
  session.value = await requestJson<Session>(path, { method: "POST", headers });
  asksForToken.value = false;
  reconnections.value += 1;
}

export async function signOut(): Promise<void> {
  await request(path, { method: "DELETE" });
  reconnections.value += 1;
}

/** A link to the page may bring a token: `/?token=…`. It becomes a session, and leaves the address. */
export function signInByAddress(): void {
  const address = new URL(location.href);
  const token = address.searchParams.get("token");
  if (token === null) return;
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
  signIn(token).catch((error: ApiError) => {
    refusals.dispatchEvent(new CustomEvent("unauthenticated", { detail: error }));
  });
}
