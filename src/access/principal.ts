/** Who asks: a principal, with what it may do from its address. Every gateway decides by this alone. */
import { type ErrorCode, WavecacheError } from "../base/errors.ts";
import { sharedNow } from "../base/system/shared-clock.ts";
import { type Action, type ResourceFolder, resourceOf } from "./actions.ts";
import type { Audit, AuditEntry } from "./audit.ts";
import { callAt } from "./expiry.ts";
import { Grants } from "./grants.ts";
import { isShared, type SharedPeriod } from "./shared-period.ts";
import { Usage } from "./usage.ts";

export type PrincipalKind = "anonymous" | "token" | "jwt" | "link" | "certificate";

export interface PrincipalFacts {
  kind: PrincipalKind;
  /** The id of a token, the subject of a JWT or of a certificate, the token that signed a link. */
  id: string;
  grants: Grants;
  /** Of the peer. */
  address: string;
  /** Aborted when it may do nothing any more: revoked, expired, or anonymous on a server that was closed. */
  ended: AbortSignal;
  /** What of the recordings of a device a link shares. */
  sharedPeriod?: SharedPeriod | undefined;
  /** When it expires, in milliseconds since 1970; undefined for never. */
  expiresAt?: number | undefined;
  /** Of everything that the principal does, together. */
  usage?: Usage | undefined;
  /** Hears of refusals, and of what is worth a line in the log. */
  audit?: Pick<Audit, "record"> | undefined;
}

const streamActions = ["upload", "read", "list", "remove"] as const;

export class Principal {
  readonly #facts: PrincipalFacts;

  constructor(facts: PrincipalFacts) {
    this.#facts = facts;
  }

  get kind(): PrincipalKind {
    return this.#facts.kind;
  }

  get id(): string {
    return this.#facts.id;
  }

  get address(): string {
    return this.#facts.address;
  }

  get grants(): Grants {
    return this.#facts.grants;
  }

  get ended(): AbortSignal {
    return this.#facts.ended;
  }

  get expiresAt(): number | undefined {
    return this.#facts.expiresAt;
  }

  get usage(): Usage {
    return this.#facts.usage ?? Usage.unlimited;
  }

  /** The same one from another address. */
  at(address: string): Principal {
    return new Principal({ ...this.#facts, address });
  }

  /** The same one, which is also over when the signal is aborted. */
  endingWith(signal: AbortSignal): Principal {
    return new Principal({ ...this.#facts, ended: AbortSignal.any([this.ended, signal]) });
  }

  /** For logs and limits: `token:ID`, or `anonymous`. */
  get name(): string {
    return this.kind === "anonymous" ? this.kind : `${this.kind}:${this.id}`;
  }

  get isAnonymous(): boolean {
    return this.kind === "anonymous";
  }

  /** It may do nothing any more. A link is over when it expires, which aborts no signal. */
  get isOver(): boolean {
    return this.ended.aborted || (this.expiresAt !== undefined && this.expiresAt <= sharedNow());
  }

  /** Calls `end` once, when it is over. Results in a function that prevents it. */
  whenOver(end: () => void): () => void {
    const { ended, expiresAt } = this.#facts;
    if (this.isOver) {
      end();
      return () => undefined;
    }
    const stopTimer = expiresAt === undefined ? () => undefined : callAt(expiresAt, over);
    const stop = () => {
      stopTimer();
      ended.removeEventListener("abort", over);
    };
    function over(): void {
      stop();
      end();
    }
    ended.addEventListener("abort", over);
    return stop;
  }

  may(action: Action, resource: string): boolean {
    return !this.isOver && this.grants.allows(action, resource, this.address);
  }

  /** Whether there may be anything in the folder that it may do this to, as for a list. */
  maySome(action: Action, folder: ResourceFolder): boolean {
    return !this.isOver && this.grants.reaches(action, `${folder}/`, this.address);
  }

  /** Whether it may do anything with streams. */
  get maySomeStream(): boolean {
    return streamActions.some((action) => this.maySome(action, "streams"));
  }

  /** Whether it may do this to everything in the folder, so that a list of it needs no filter. */
  mayAll(action: Action, folder: ResourceFolder): boolean {
    return !this.isOver && this.grants.covers(action, `${folder}/**`, this.address);
  }

  /**
   * Throws why the action is refused. `unknown` is the error of a resource that does not exist: who may not read a
   * resource must not learn whether it does.
   */
  require(action: Action, resource: string, unknown?: ErrorCode): void {
    if (this.may(action, resource)) return;
    const { refusal } = this;
    this.#record(action, resource, refusal);
    const isHidden = refusal === "FORBIDDEN" && unknown !== undefined && !this.may("read", resource);
    throw new WavecacheError(isHidden ? unknown : refusal);
  }

  /** Like `require`, for reading the audio of a period: of a device that it may read, or of a period that a link shares. */
  requirePeriod(period: SharedPeriod): void {
    const { sharedPeriod } = this.#facts;
    if (sharedPeriod !== undefined && !this.isOver && isShared(period, sharedPeriod)) return;
    this.require("read", resourceOf("recordings", period.name), "RECORDING_UNKNOWN");
  }

  /** Like `require`, for lists. */
  requireSome(action: Action, folder: ResourceFolder): void {
    if (this.maySome(action, folder)) return;
    this.#record(action, `${folder}/**`, this.refusal);
    throw new WavecacheError(this.refusal);
  }

  /** Like `require`, for connections that serve streams. */
  requireSomeStream(): void {
    if (this.maySomeStream) return;
    this.#record("read", "streams/**", this.refusal);
    throw new WavecacheError(this.refusal);
  }

  /** Puts what it did into the audit. */
  did(action: Action, resource: string): void {
    this.#record(action, resource, "allowed");
  }

  /** Why it may not do what it has no grant for. */
  get refusal(): ErrorCode {
    return this.isAnonymous || this.isOver ? "UNAUTHENTICATED" : "FORBIDDEN";
  }

  #record(action: Action, resource: string, outcome: AuditEntry["outcome"]): void {
    const { name: principal, address } = this;
    this.#facts.audit?.record({ at: sharedNow(), principal, action, resource, address, outcome });
  }
}

const never = new AbortController().signal;

/** Anybody, on a server that is open. */
export function openPrincipal(address: string): Principal {
  return new Principal({ kind: "anonymous", id: "", grants: Grants.everything, address, ended: never });
}

/** Anybody, where nobody is asked for a credential, such as at a health check. */
export function nobody(address: string): Principal {
  return new Principal({ kind: "anonymous", id: "", grants: Grants.none, address, ended: never });
}
