/** What the keeper does with sessions of browsers, and with keys that nodes share. */
import { maxSessions } from "../../base/limits/access.ts";
import type { KeeperArgs } from "../keeper-calls.ts";
import type { SessionCatalog, StoredSession } from "./catalog.ts";
import type { SharedKeys } from "./shared-keys.ts";

interface SessionStore {
  readonly sessions: SessionCatalog;
  readonly keys: SharedKeys;
  transaction<T>(change: () => T, durable: boolean): T;
}

export class SessionKeeper {
  readonly #catalog: SessionStore;

  constructor(catalog: SessionStore) {
    this.#catalog = catalog;
  }

  /** Makes room for the session before it is entered. */
  open(session: StoredSession): string[] {
    const removed = this.#catalog.sessions.trim(session.openedAt, maxSessions - 1);
    this.#catalog.sessions.enter(session);
    return removed;
  }

  find(sha256: string): StoredSession | null {
    return this.#catalog.sessions.find(sha256) ?? null;
  }

  present(sha256s: readonly string[]): string[] {
    return this.#catalog.sessions.present(sha256s);
  }

  list(at: number): StoredSession[] {
    return this.#catalog.sessions.all(at);
  }

  /** In one order, and in a transaction of its own, so that nodes do not wait for each other in a circle. */
  use({ uses }: KeeperArgs<"useSessions">): null {
    const ordered = uses.toSorted((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
    this.#catalog.transaction(() => this.#catalog.sessions.use(ordered), false);
    return null;
  }

  /** Durable: a session that was ended must not come back, not even after a power cut. */
  end(args: KeeperArgs<"endSession">): string | null {
    const { sessions } = this.#catalog;
    return this.#catalog.transaction(() => {
      if ("id" in args) return sessions.end(args.id) ?? null;
      return sessions.remove(args.sha256) ? args.sha256 : null;
    }, true);
  }

  /** Durable: a key that is lost would take with it what it has signed. */
  sharedKey({ name, candidate }: KeeperArgs<"sharedKey">): string {
    return this.#catalog.transaction(() => this.#catalog.keys.keep(name, candidate), true);
  }
}
