/** Sessions of browsers: a cookie that stands for the token or the JWT with which the session was opened. */
import { randomBytes } from "node:crypto";
import { maxSessions, sessionMs } from "../base/limits/access.ts";
import { Lru } from "../base/lru.ts";
import type { Principal } from "./principal.ts";
import { hashOfSecret } from "./token-text.ts";

interface OpenSession {
  principal: Principal;
  /** In milliseconds since 1970. */
  expiresAt: number;
}

const idBytes = 32;

export class Sessions {
  /** By the SHA-256 of their ids, so that no comparison depends on an id. */
  readonly #open = new Lru<OpenSession>(maxSessions);

  /** Results in the value of the cookie. */
  open(principal: Principal): string {
    const id = randomBytes(idBytes).toString("base64url");
    this.#open.set(hashOfSecret(id), { principal, expiresAt: Date.now() + sessionMs });
    return id;
  }

  /** Who opened the session; undefined if it is over. */
  find(id: string): Principal | undefined {
    const session = this.#open.get(hashOfSecret(id));
    if (session === undefined) return undefined;
    const isOver = session.expiresAt <= Date.now() || session.principal.ended.aborted;
    if (isOver) this.end(id);
    return isOver ? undefined : session.principal;
  }

  end(id: string): void {
    this.#open.delete(hashOfSecret(id));
  }
}
