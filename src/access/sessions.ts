/**
 * Sessions of browsers: a cookie that stands for the token or the JWT with which the session was opened. The catalog has
 * them, so they outlast a restart, and every node of a shared catalog knows them. Those in use are in memory, too. A session
 * that ends leaves the catalog first, so no node finds it again.
 */
import { randomBytes } from "node:crypto";
import { WavecacheError } from "../base/errors.ts";
import {
  maxAgentChars,
  maxSessions,
  maxUnknownCookies,
  maxUnknownSessions,
  sessionMs,
  sessionUseMs,
} from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import { Lru } from "../base/lru.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import type { KeeperArgs, KeeperResult } from "../store/keeper-calls.ts";
import type { SessionJwt, SessionUse, StoredSession } from "../store/sessions/catalog.ts";
import { Failures } from "./failures.ts";
import type { Principal } from "./principal.ts";
import { hashOfSecret } from "./token-text.ts";

export type SessionStoreCall =
  "openSession" | "findSession" | "presentSessions" | "listSessions" | "useSessions" | "endSession";

export interface SessionStore {
  call<C extends SessionStoreCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>>;
}

/** Knows the tokens and JWTs that sessions stand for. */
export interface SessionOpeners {
  /** Who opened the sessions; undefined where the token or the JWT counts no more. */
  openersOf(sessions: readonly StoredSession[]): Promise<(Principal | undefined)[]>;
  /** Of the keys that verify JWTs. */
  readonly jwtVerifier: string | undefined;
}

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
  stored: StoredSession;
  principal: Principal;
  /** Aborted when the session is over: what it has open ends. */
  ending: AbortController;
}

const secretBytes = 32;
const idBytes = 8;

export class Sessions {
  readonly #store: SessionStore;
  readonly #openers: SessionOpeners;
  readonly #log: Log;
  /** By the SHA-256 of their cookies, so that no comparison depends on a cookie. */
  readonly #open = new Lru<OpenSession>(maxSessions, (_key, { ending }) => ending.abort());
  /** Cookies without a session. None of them ever gets one: the server alone makes cookies. */
  readonly #unknown = new Lru<true>(maxUnknownSessions);
  readonly #misses = new Failures(undefined, maxUnknownCookies);
  /** Requests that arrive together with one cookie share a session, which ends for all of them. */
  readonly #lookUps = new Map<string, Promise<OpenSession | undefined>>();
  /** Grows when sessions end: what was read of the catalog before may be out of date. */
  #endings = 0;
  readonly #uses = new Map<string, SessionUse>();
  readonly #timer: Timer;

  constructor(store: SessionStore, openers: SessionOpeners, log: Log) {
    this.#store = store;
    this.#openers = openers;
    this.#log = log;
    this.#timer = setInterval(() => void this.#saveUses(), sessionUseMs);
    this.#timer.unref();
  }

  /** Results in the value of the cookie. `agent`: what the browser calls itself. Rejects with an error of the catalog. */
  async open(opener: Principal, agent: string): Promise<string> {
    const cookie = randomBytes(secretBytes).toString("base64url");
    const session = this.#newSession(hashOfSecret(cookie), opener, agent);
    // At the limit the catalog removes the session that was used longest ago.
    void this.#saveUses();
    const removed = await this.#store.call("openSession", session);
    for (const sha256 of removed) this.#forget(sha256);
    return cookie;
  }

  /**
   * Who opened the session, at the address that uses it now; undefined if it is over. Throws GUESSES_EXHAUSTED. Rejects
   * with it, too, or with an error of the catalog, unless the session is in memory.
   */
  find(cookie: string, address: string): Principal | undefined | Promise<Principal | undefined> {
    const sha256 = hashOfSecret(cookie);
    const session = this.#open.get(sha256);
    if (session !== undefined) return this.#use(session, address);
    if (this.#unknown.get(sha256) === true) return undefined;
    if (this.#misses.isBlocked(address)) throw new WavecacheError("GUESSES_EXHAUSTED");
    return this.#findStored(sha256, address);
  }

  /** Ends the session of a cookie, and what it has open. Rejects with an error of the catalog. */
  async close(cookie: string): Promise<void> {
    const sha256 = hashOfSecret(cookie);
    if ((await this.#known(sha256)) === undefined) return;
    await this.#store.call("endSession", { sha256 });
    this.#forget(sha256);
  }

  /** Those of all nodes that are not over, the one that was used last first. */
  async list(): Promise<SessionRow[]> {
    const stored = await this.#store.call("listSessions", { at: sharedNow() });
    const openers = await this.#openers.openersOf(stored);
    const rows = stored.flatMap((session, index) => this.#describe(session, openers[index]) ?? []);
    return rows.toSorted((a, b) => b.usedAt - a.usedAt);
  }

  /** The id of the session of a cookie that was used here. */
  idOf(cookie: string): string | undefined {
    return this.#open.peek(hashOfSecret(cookie))?.stored.id;
  }

  /** Ends the session with this id, and what it has open. False if there is none. */
  async end(id: string): Promise<boolean> {
    const sha256 = await this.#store.call("endSession", { id });
    if (sha256 !== null) this.#forget(sha256);
    return sha256 !== null;
  }

  /** Another node has ended sessions. Rejects with an error of the catalog. */
  async endedElsewhere(): Promise<void> {
    this.#endings += 1;
    const sha256s = this.#open.entries().map(([sha256]) => sha256);
    if (sha256s.length === 0) return;
    const present = new Set(await this.#store.call("presentSessions", { sha256s }));
    for (const sha256 of sha256s) if (!present.has(sha256)) this.#forget(sha256);
  }

  /** Saves the last uses. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saveUses();
  }

  /** Throws FORBIDDEN for whoever has neither token nor JWT. */
  #newSession(sha256: string, opener: Principal, agent: string): StoredSession {
    const { kind, id: subject, address } = opener;
    if (kind === "anonymous" || kind === "link") throw new WavecacheError("FORBIDDEN");
    const now = sharedNow();
    return {
      sha256,
      id: randomBytes(idBytes).toString("hex"),
      kind,
      subject,
      jwt: kind === "jwt" ? this.#jwtOf(opener) : null,
      openedAt: now,
      expiresAt: now + sessionMs,
      usedAt: now,
      address,
      agent: agent.slice(0, maxAgentChars),
    };
  }

  #jwtOf({ grants, expiresAt }: Principal): SessionJwt {
    return { grants: grants.toString(), expiresAt: expiresAt!, verifier: this.#openers.jwtVerifier! };
  }

  async #findStored(sha256: string, address: string): Promise<Principal | undefined> {
    const session = await this.#known(sha256);
    if (session !== undefined) return this.#use(session, address);
    this.#misses.add(address);
    return undefined;
  }

  /** From memory, or from the catalog. */
  #known(sha256: string): Promise<OpenSession | undefined> {
    const open = this.#open.peek(sha256);
    if (open !== undefined) return Promise.resolve(open);
    if (this.#unknown.has(sha256)) return Promise.resolve(undefined);
    const begun = this.#lookUps.get(sha256);
    if (begun !== undefined) return begun;
    const lookUp = this.#lookUp(sha256).finally(() => this.#lookUps.delete(sha256));
    this.#lookUps.set(sha256, lookUp);
    return lookUp;
  }

  async #lookUp(sha256: string): Promise<OpenSession | undefined> {
    for (;;) {
      const endings = this.#endings;
      const stored = await this.#store.call("findSession", { sha256 });
      const [opener] = stored === null ? [] : await this.#openers.openersOf([stored]);
      // A session has ended meanwhile, perhaps this one.
      if (endings !== this.#endings) continue;
      if (stored !== null && opener !== undefined) return this.#enter(stored, opener);
      this.#unknown.set(sha256, true);
      return undefined;
    }
  }

  #enter(stored: StoredSession, opener: Principal): OpenSession {
    const ending = new AbortController();
    const session = { stored, principal: opener.endingWith(ending.signal), ending };
    this.#open.set(stored.sha256, session);
    return session;
  }

  #use(session: OpenSession, address: string): Principal | undefined {
    const { stored, principal } = session;
    if (stored.expiresAt <= sharedNow() || principal.isOver) {
      this.#forget(stored.sha256);
      return undefined;
    }
    const at = sharedNow();
    Object.assign(stored, { usedAt: at, address });
    this.#uses.set(stored.sha256, { sha256: stored.sha256, at, address });
    return principal.at(address);
  }

  /** It has left the catalog, or is over. What it has open ends. */
  #forget(sha256: string): void {
    this.#endings += 1;
    this.#unknown.set(sha256, true);
    this.#uses.delete(sha256);
    this.#open.delete(sha256)?.ending.abort();
  }

  /** Undefined if it is over. The last use in memory may be newer than that of the catalog. */
  #describe(listed: StoredSession, opener: Principal | undefined): SessionRow | undefined {
    if (opener === undefined || opener.isOver) return undefined;
    const used = this.#open.peek(listed.sha256)?.stored ?? listed;
    const { id, openedAt, expiresAt, agent } = listed;
    const { usedAt, address } = used.usedAt > listed.usedAt ? used : listed;
    return { id, principal: opener.name, openedAt, usedAt, expiresAt, address, agent };
  }

  /** A failure loses only when sessions were used last. */
  async #saveUses(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = [...this.#uses.values()];
    this.#uses.clear();
    try {
      await this.#store.call("useSessions", { uses });
    } catch (error) {
      this.#log.debug("last uses of sessions are not saved", { sessions: uses.length, error });
    }
  }
}
