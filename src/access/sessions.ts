/** Sessions of browsers: a cookie that stands for the token or the JWT with which the session was opened. */
import { randomBytes } from "node:crypto";
import { maxAgentChars, maxSessions, sessionMs } from "../base/limits/access.ts";
import { Lru } from "../base/lru.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import type { Principal } from "./principal.ts";
import { hashOfSecret } from "./token-text.ts";

/** Times are milliseconds since 1970. */
export interface SessionRow {
  /** Names the session, and opens nothing. */
  id: string;
  /** Who opened it. */
  principal: string;
  openedAt: number;
  usedAt: number;
  expiresAt: number;
  /** Of the last use. */
  address: string;
  /** What the browser calls itself. */
  agent: string;
}

interface OpenSession {
  row: SessionRow;
  principal: Principal;
  /** Aborted when the session is over: what it has open ends. */
  ending: AbortController;
}

const secretBytes = 32;
const idBytes = 8;

export class Sessions {
  /** By the SHA-256 of their cookies, so that no comparison depends on a cookie. */
  readonly #open = new Lru<OpenSession>(maxSessions, (_key, { ending }) => ending.abort());

  /** Results in the value of the cookie. `agent`: what the browser calls itself. */
  open(opener: Principal, agent: string): string {
    const cookie = randomBytes(secretBytes).toString("base64url");
    const [now, ending] = [sharedNow(), new AbortController()];
    const principal = opener.endingWith(ending.signal);
    const row = {
      id: randomBytes(idBytes).toString("hex"),
      principal: opener.name,
      openedAt: now,
      usedAt: now,
      expiresAt: now + sessionMs,
      address: opener.address,
      agent: agent.slice(0, maxAgentChars),
    };
    this.#open.set(hashOfSecret(cookie), { row, principal, ending });
    return cookie;
  }

  /** Who opened the session, at the address that uses it now; undefined if it is over. */
  find(cookie: string, address: string): Principal | undefined {
    const session = this.#open.get(hashOfSecret(cookie));
    if (session === undefined) return undefined;
    if (isOver(session)) {
      this.close(cookie);
      return undefined;
    }
    Object.assign(session.row, { usedAt: sharedNow(), address });
    return session.principal.at(address);
  }

  /** Ends the session of a cookie, and what it has open. */
  close(cookie: string): void {
    this.#open.delete(hashOfSecret(cookie))?.ending.abort();
  }

  /** Those that are not over, the one that was used last first. */
  list(): SessionRow[] {
    return Array.from(this.#open.values(), (session) => (isOver(session) ? [] : [{ ...session.row }]))
      .flat()
      .toReversed();
  }

  /** The id of the session of a cookie. */
  idOf(cookie: string): string | undefined {
    return this.#open.peek(hashOfSecret(cookie))?.row.id;
  }

  /** Ends the session with this id, and what it has open. False if there is none. */
  end(id: string): boolean {
    for (const [key, { row, ending }] of this.#open.entries()) {
      if (row.id !== id) continue;
      this.#open.delete(key);
      ending.abort();
      return true;
    }
    return false;
  }
}

function isOver({ row, principal }: OpenSession): boolean {
  return row.expiresAt <= sharedNow() || principal.isOver;
}
