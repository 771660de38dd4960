/**
 * Who a peer is. A server is open while nothing says otherwise: then anonymous may do everything. The first token or key
 * closes it, and what anonymous peers have open ends.
 */
import { WavecacheError } from "../base/errors.ts";
import { maxKnownJwts } from "../base/limits/access.ts";
import type { Log } from "../base/log/log.ts";
import { Lru } from "../base/lru.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import type { StoredSession } from "../store/sessions/catalog.ts";
import type { Access } from "./access.ts";
import { resourceOf, serverResource } from "./actions.ts";
import { Audit } from "./audit.ts";
import type { ClosedMark } from "./closed-mark.ts";
import type { Credentials } from "./credentials.ts";
import { abortAt } from "./expiry.ts";
import { Failures } from "./failures.ts";
import { Grants } from "./grants.ts";
import { Jwts, type VerifiedJwt } from "./jwt.ts";
import type { Links } from "./links.ts";
import { Principal, type PrincipalFacts } from "./principal.ts";
import { Sessions, type SessionStore } from "./sessions.ts";
import { periodOfResource, resourceOfPeriod, type SharedPeriod } from "./shared-period.ts";
import { hashOfSecret } from "./token-text.ts";
import { type KnownToken, type NewToken, type TokenSpec, type TokenStore, Tokens } from "./tokens.ts";

export interface AccessSettings {
  store: TokenStore & SessionStore;
  /** Anonymous may always do everything. */
  isOpen: boolean;
  /** What anonymous may do on a closed server; undefined if the operator did not say. */
  anonymous: Grants | undefined;
  /** Only this machine reaches the server. */
  isLoopback: boolean;
  /** Keeps a server closed whose tokens are lost. */
  closedMark: Pick<ClosedMark, "isSet" | "set">;
  jwts: Jwts | undefined;
  /** Called once the store is open. Rejects with CREDENTIALS_UNUSABLE, or an error of the catalog. */
  openLinks: () => Promise<Links>;
  log: Log;
}

const never = new AbortController().signal;

export class ServerAccess implements Access {
  readonly audit: Audit;
  readonly tokens: Tokens;
  readonly sessions: Sessions;
  readonly #settings: AccessSettings;
  #links: Links | undefined;
  #anonymousGrants: Grants | undefined;
  readonly #failures = new Failures();
  readonly #jwts = new Lru<PrincipalFacts>(maxKnownJwts);
  /** Aborted when the server is closed for anonymous. */
  #isLoaded = false;
  #openness = new AbortController();

  constructor(settings: AccessSettings) {
    this.#settings = settings;
    this.#anonymousGrants = settings.anonymous;
    this.audit = new Audit(settings.log);
    const { store, log, jwts } = settings;
    this.tokens = new Tokens(store, log);
    const openersOf = (sessions: readonly StoredSession[]) => this.#openersOf(sessions);
    this.sessions = new Sessions(store, { openersOf, jwtVerifier: jwts?.verifier }, log);
  }

  /** Reads the tokens. Rejects with ACCESS_UNDECIDED if others reach the server, and nothing says what they may do. */
  async open(): Promise<void> {
    this.#links = await this.#settings.openLinks();
    await this.#reload();
    const { closedMark, log } = this.#settings;
    if (closedMark.isSet && this.tokens.count === 0) log.warn("the tokens are lost: create new ones");
    this.checkAnonymous(this.#anonymousGrants);
  }

  /** Throws ACCESS_UNDECIDED if others reach the server, and nothing would say what they may do. */
  checkAnonymous(grants: Grants | undefined): void {
    const { isOpen, isLoopback } = this.#settings;
    if (!isOpen && !isLoopback && !this.#isClosedWith(grants)) throw new WavecacheError("ACCESS_UNDECIDED");
  }

  /** What anonymous may do from now on, on connections that are open, too. */
  changeAnonymous(grants: Grants | undefined): void {
    this.#anonymousGrants = grants;
    if (this.#isClosed) this.#openness.abort();
    else if (this.#openness.signal.aborted) this.#openness = new AbortController();
  }

  /** Reads the tokens again after a command on this machine has changed one in the catalog. */
  async changedByCommand(id: string): Promise<void> {
    await this.#reload();
    const who = { principal: "command", action: "admin", resource: `tokens/${id}`, address: "" } as const;
    this.audit.record({ at: sharedNow(), ...who, outcome: "allowed" });
  }

  /** Another node may have changed them. Rejects with an error of the catalog. */
  async tokensChanged(): Promise<void> {
    await this.#reload();
  }

  async close(): Promise<void> {
    await this.sessions.stop();
    await this.tokens.close();
  }

  /** Throws STARTING before the tokens are known: until then the server would look open. */
  authenticate(credentials: Credentials, address: string): Principal | Promise<Principal> {
    if (!this.#isLoaded) throw new WavecacheError("STARTING");
    const { secret, link, certificate, session } = credentials;
    if (secret !== undefined) return this.#principalOf(secret, address);
    if (link !== undefined) return this.#linked(link, address);
    const certified = certificate === undefined ? undefined : this.tokens.findCertificate(certificate);
    if (certified !== undefined) return this.#known(certified, "certificate", address);
    if (session === undefined) return this.#anonymous(address);
    const opener = this.sessions.find(session, address);
    // A browser keeps the cookie of a session that is over.
    if (opener instanceof Promise) return opener.then((found) => found ?? this.#anonymous(address));
    return opener ?? this.#anonymous(address);
  }

  /** A link to a stream, which the principal may read. `expires`: in seconds since 1970. */
  shareStream(streamId: string, expires: number, principal: Principal): string {
    return this.#share(resourceOf("streams", streamId), expires, principal);
  }

  /** A link to the audio of a device in a period, which the principal may read. */
  sharePeriod(period: SharedPeriod, expires: number, principal: Principal): string {
    return this.#share(resourceOfPeriod(period), expires, principal);
  }

  async createToken(spec: TokenSpec): Promise<NewToken> {
    const created = await this.tokens.create(spec);
    await this.#reload();
    return created;
  }

  /** Rejects with TOKEN_UNKNOWN. */
  async revokeToken(id: string): Promise<void> {
    await this.tokens.revoke(id);
  }

  #share(resource: string, expires: number, principal: Principal): string {
    const issuer = principal.kind === "token" ? principal.id : "";
    return this.#links!.sign({ resource, expires, issuer });
  }

  async #reload(): Promise<void> {
    await this.tokens.load();
    if (this.tokens.count > 0) await this.#settings.closedMark.set();
    this.#isLoaded = true;
    if (this.#isClosed) this.#openness.abort();
  }

  get #isClosed(): boolean {
    return this.#isClosedWith(this.#anonymousGrants);
  }

  #isClosedWith(anonymous: Grants | undefined): boolean {
    const { isOpen, jwts, closedMark } = this.#settings;
    if (isOpen) return false;
    return anonymous !== undefined || jwts !== undefined || this.tokens.count > 0 || closedMark.isSet;
  }

  #anonymous(address: string): Principal {
    const grants = () => (this.#isClosed ? this.#anonymousGrants : Grants.everything) ?? Grants.none;
    const ended = this.#isClosed ? never : this.#openness.signal;
    return new Principal({
      kind: "anonymous",
      id: "",
      // They may change while the peer is connected.
      get grants() {
        return grants();
      },
      address,
      ended,
      audit: this.audit,
    });
  }

  /** A right token is never slowed down: whoever shares its address must not be able to lock it out. */
  #principalOf(secret: string, address: string): Principal | Promise<Principal> {
    const token = this.tokens.find(secret);
    if (token !== undefined) return this.#known(token, "token", address);
    // Old clients of an open server may send anything as a token.
    if (!this.#isClosed) return this.#anonymous(address);
    if (this.tokens.hasEnded(secret)) return this.#refuse(address, new WavecacheError("UNAUTHENTICATED"));
    const { jwts } = this.#settings;
    if (jwts === undefined || !Jwts.hasShape(secret)) return this.#fail(address);
    const known = this.#jwts.get(hashOfSecret(secret));
    if (known !== undefined && !known.ended.aborted) return new Principal({ ...known, address });
    return this.#verify(jwts, secret, address);
  }

  #known(
    { row, grants, usage, ended }: KnownToken,
    kind: "token" | "certificate",
    address: string,
  ): Principal {
    const { id, expiresAt } = row;
    const facts = { grants, usage, ended, address, audit: this.audit };
    return new Principal({ kind, id, expiresAt: expiresAt ?? undefined, ...facts });
  }

  /** Another node may have opened a session with a token that is new. */
  async #openersOf(sessions: readonly StoredSession[]): Promise<(Principal | undefined)[]> {
    const isOfNewToken = ({ kind, subject }: StoredSession) => kind !== "jwt" && !this.tokens.has(subject);
    if (sessions.some(isOfNewToken)) await this.tokens.load();
    return sessions.map((session) => this.#openerOf(session));
  }

  /** Undefined if this server would not accept the token or the JWT any more. */
  #openerOf({ kind, subject: id, jwt, address }: StoredSession): Principal | undefined {
    if (kind !== "jwt") {
      const token = this.tokens.withId(id);
      return token && this.#known(token, kind, address);
    }
    if (jwt === null || jwt.verifier !== this.#settings.jwts?.verifier) return undefined;
    const { expiresAt } = jwt;
    const grants = Grants.parse(jwt.grants);
    return new Principal({ kind, id, grants, expiresAt, ended: never, address, audit: this.audit });
  }

  async #verify(jwts: Jwts, secret: string, address: string): Promise<Principal> {
    if (this.#failures.isBlocked(address)) return this.#fail(address);
    let jwt: VerifiedJwt;
    try {
      jwt = await jwts.verify(secret);
    } catch {
      return this.#fail(address);
    }
    const end = new AbortController();
    abortAt(end, jwt.expiresAt);
    const { subject: id, grants, expiresAt } = jwt;
    const facts = { grants, expiresAt, ended: end.signal, address, audit: this.audit };
    const known: PrincipalFacts = { kind: "jwt", id, ...facts };
    this.#jwts.set(hashOfSecret(secret), known);
    return new Principal(known);
  }

  #linked(text: string, address: string): Principal {
    try {
      return this.#principalOfLink(text, address);
    } catch (error) {
      if (!(error instanceof WavecacheError)) throw error;
      return error.code === "LINK_WRONG" ? this.#fail(address, error.code) : this.#refuse(address, error);
    }
  }

  /** Throws LINK_WRONG, also if the token that shared it has ended, and LINK_EXPIRED. */
  #principalOfLink(text: string, address: string): Principal {
    const { resource, expires, issuer } = this.#links!.verify(text);
    const token = issuer === "" ? undefined : this.tokens.withId(issuer);
    if (issuer !== "" && token === undefined) throw new WavecacheError("LINK_WRONG");
    return new Principal({
      kind: "link",
      id: issuer,
      grants: Grants.of("read", resource),
      sharedPeriod: periodOfResource(resource),
      address,
      ended: token?.ended ?? never,
      usage: token?.usage,
      expiresAt: expires * 1000,
      audit: this.audit,
    });
  }

  /** A guess. Throws GUESSES_EXHAUSTED if there were too many before. */
  #fail(address: string, code: "UNAUTHENTICATED" | "LINK_WRONG" = "UNAUTHENTICATED"): never {
    if (this.#failures.isBlocked(address)) throw new WavecacheError("GUESSES_EXHAUSTED");
    this.#failures.add(address);
    return this.#refuse(address, new WavecacheError(code));
  }

  #refuse(address: string, error: WavecacheError): never {
    const who = { principal: "unknown", action: "authenticate", resource: serverResource } as const;
    this.audit.record({ at: sharedNow(), ...who, address, outcome: error.code });
    throw error;
  }
}
