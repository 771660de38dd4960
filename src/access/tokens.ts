/**
 * The tokens of the catalog, in memory: every request looks one up. A change goes to the catalog first, and then the
 * tokens are read again, so that the server never allows what a restart would not.
 */
import { randomBytes } from "node:crypto";
import { WavecacheError } from "../base/errors.ts";
import { tokenUseMs } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import type { KeeperArgs, KeeperResult } from "../store/keeper-calls.ts";
import type { TokenLimits, TokenRow } from "../store/tokens/catalog.ts";
import { abortAt } from "./expiry.ts";
import { Grants } from "./grants.ts";
import { Usage } from "./usage.ts";
import { hashOfSecret, newTokenText } from "./token-text.ts";

export type TokenStoreCall = "listTokens" | "saveToken" | "revokeToken" | "useTokens";

export interface TokenStore {
  call<C extends TokenStoreCall>(call: C, args: KeeperArgs<C>): Promise<KeeperResult<C>>;
}

/** What an operator asks for. */
export interface TokenSpec {
  grants: Grants;
  limits: TokenLimits;
  note: string;
  /** In milliseconds since 1970; null for never. */
  expiresAt: number | null;
  /** SHA-256 of the certificate that the token stands for: it has no text then. */
  certificate?: string | undefined;
}

export interface NewToken {
  row: TokenRow;
  /** Shown once: it is stored nowhere. */
  text: string;
}

const idBytes = 6;

export function newToken(spec: TokenSpec): NewToken {
  const text = newTokenText();
  const { grants, limits, note, expiresAt, certificate } = spec;
  const row: TokenRow = {
    id: randomBytes(idBytes).toString("hex"),
    sha256: certificate ?? hashOfSecret(text),
    grants: grants.toString(),
    limits,
    note,
    createdAt: sharedNow(),
    expiresAt,
    usedAt: null,
    revokedAt: null,
  };
  return { row, text };
}

/** A token of the catalog. */
export class KnownToken {
  row: TokenRow;
  readonly #end = new AbortController();
  readonly usage: Usage;
  #grants: Grants | undefined;

  constructor(row: TokenRow) {
    this.row = row;
    this.usage = new Usage(row.limits, row.id);
  }

  get isValid(): boolean {
    const { revokedAt, expiresAt } = this.row;
    return revokedAt === null && (expiresAt === null || expiresAt > sharedNow());
  }

  /** Read at the first use. */
  get grants(): Grants {
    if (this.#grants !== undefined) return this.#grants;
    this.#grants = Grants.parse(this.row.grants);
    if (this.row.expiresAt !== null) abortAt(this.#end, this.row.expiresAt);
    return this.#grants;
  }

  get ended(): AbortSignal {
    return this.#end.signal;
  }

  /** Everything that uses it ends. */
  end(): void {
    this.#end.abort();
  }
}

export class Tokens {
  readonly #store: TokenStore;
  readonly #log: Log;
  readonly #bySha256 = new Map<string, KnownToken>();
  readonly #byId = new Map<string, KnownToken>();
  readonly #uses = new Map<string, number>();
  readonly #timer: Timer;

  constructor(store: TokenStore, log: Log) {
    this.#store = store;
    this.#log = log;
    this.#timer = setInterval(() => void this.#saveUses(), tokenUseMs);
    this.#timer.unref();
  }

  /** Tokens that have ended count too. */
  get count(): number {
    return this.#byId.size;
  }

  /**
   * The valid token with this text. The SHA-256 is looked up, not the text: how long that takes says nothing about the
   * text of any token.
   */
  find(secret: string): KnownToken | undefined {
    return this.#use(hashOfSecret(secret));
  }

  /**
   * The valid token of a certificate. Anybody may know a certificate, but no text has its SHA-256: DER is not UTF-8.
   */
  findCertificate(sha256: string): KnownToken | undefined {
    return this.#use(sha256);
  }

  /** Whether there is a token with this text that has ended: whoever sends it does not guess. */
  hasEnded(secret: string): boolean {
    return this.#bySha256.get(hashOfSecret(secret))?.isValid === false;
  }

  /** Whether there is a token with this id, which may have ended. */
  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /** The valid token with this id. */
  withId(id: string): KnownToken | undefined {
    const token = this.#byId.get(id);
    return token?.isValid === true ? token : undefined;
  }

  /** Reads the catalog. What uses a token that was revoked or is gone ends. */
  async load(): Promise<void> {
    const rows = await this.#store.call("listTokens", null);
    const gone = new Set(this.#byId.keys());
    for (const row of rows) {
      gone.delete(row.id);
      this.#enter(row);
    }
    for (const id of gone) this.#remove(id);
  }

  /** Rejects with TOKENS_EXHAUSTED. */
  async create(spec: TokenSpec): Promise<NewToken> {
    const token = newToken(spec);
    await this.#store.call("saveToken", token.row);
    await this.load();
    return token;
  }

  /** Rejects with TOKEN_UNKNOWN. */
  async revoke(id: string): Promise<void> {
    const isRevoked = await this.#store.call("revokeToken", { id, at: sharedNow() });
    if (!isRevoked) throw new WavecacheError("TOKEN_UNKNOWN");
    await this.load();
  }

  /** All tokens, oldest first, with their last use. */
  list(): TokenRow[] {
    return Array.from(this.#byId.values(), ({ row }) => ({
      ...row,
      usedAt: this.#uses.get(row.id) ?? row.usedAt,
    }));
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#saveUses();
  }

  #use(sha256: string): KnownToken | undefined {
    const token = this.#bySha256.get(sha256);
    if (token === undefined || !token.isValid) return undefined;
    this.#uses.set(token.row.id, sharedNow());
    return token;
  }

  #enter(row: TokenRow): void {
    const known = this.#byId.get(row.id) ?? new KnownToken(row);
    known.row = row;
    this.#byId.set(row.id, known);
    this.#bySha256.set(row.sha256, known);
    if (row.revokedAt !== null) known.end();
  }

  #remove(id: string): void {
    const known = this.#byId.get(id)!;
    known.end();
    this.#byId.delete(id);
    this.#bySha256.delete(known.row.sha256);
    this.#uses.delete(id);
  }

  /** A failure loses only when tokens were used last. */
  async #saveUses(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = Array.from(this.#uses, ([id, at]) => ({ id, at }));
    this.#uses.clear();
    for (const { id, at } of uses) this.#byId.get(id)!.row.usedAt = at;
    try {
      await this.#store.call("useTokens", { uses });
    } catch (error) {
      this.#log.debug("last uses of tokens are not saved", { tokens: uses.length, error });
    }
  }
}
