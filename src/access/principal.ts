/** Who asks: a principal, with what it may do from its address. Every gateway decides by this alone. */
import { type ErrorCode, WavecacheError } from "../base/errors.ts";
import type { Action, ResourceFolder } from "./actions.ts";
import { Grants } from "./grants.ts";

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
  /** When it expires, in milliseconds since 1970; undefined for never. */
  expiresAt?: number | undefined;
}

export class Principal {
  readonly kind: PrincipalKind;
  readonly id: string;
  readonly address: string;
  readonly ended: AbortSignal;
  readonly expiresAt: number | undefined;
  readonly #grants: Grants;

  constructor({ kind, id, grants, address, ended, expiresAt }: PrincipalFacts) {
    this.kind = kind;
    this.id = id;
    this.address = address;
    this.ended = ended;
    this.expiresAt = expiresAt;
    this.#grants = grants;
  }

  /** For logs and limits: `token:ID`, or `anonymous`. */
  get name(): string {
    return this.kind === "anonymous" ? this.kind : `${this.kind}:${this.id}`;
  }

  get isAnonymous(): boolean {
    return this.kind === "anonymous";
  }

  may(action: Action, resource: string): boolean {
    return !this.ended.aborted && this.#grants.allows(action, resource, this.address);
  }

  /** Whether there may be anything in the folder that it may do this to, as for a list. */
  maySome(action: Action, folder: ResourceFolder): boolean {
    return !this.ended.aborted && this.#grants.reaches(action, `${folder}/`, this.address);
  }

  /**
   * Throws why the action is refused. `unknown` is the error of a resource that does not exist: who may not read a
   * resource must not learn whether it does.
   */
  require(action: Action, resource: string, unknown?: ErrorCode): void {
    if (this.may(action, resource)) return;
    const isHidden = unknown !== undefined && !this.may("read", resource);
    throw new WavecacheError(this.isAnonymous || !isHidden ? this.refusal : unknown);
  }

  /** Like `require`, for lists. */
  requireSome(action: Action, folder: ResourceFolder): void {
    if (!this.maySome(action, folder)) throw new WavecacheError(this.refusal);
  }

  /** Why it may not do what it has no grant for. */
  get refusal(): ErrorCode {
    return this.isAnonymous || this.ended.aborted ? "UNAUTHENTICATED" : "FORBIDDEN";
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
