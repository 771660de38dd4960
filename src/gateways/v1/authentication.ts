/**
 * Who a connection is: its handshake says, unless its HELLO has a token. Browsers can send no headers with a WebSocket,
 * and what stands in a URL is easily written to a log.
 */
import type { Access } from "../../access/access.ts";
import type { Principal } from "../../access/principal.ts";
import { type ErrorCode, toWavecacheError } from "../../base/errors.ts";

export interface AuthenticationHost {
  access: Access;
  /** Nothing is read while a token is checked. */
  pause(): void;
  resume(): void;
  /** The peer has said who it is. Throws TOKEN_LIMIT_REACHED. */
  identify(principal: Principal): void;
  /** Ends the connection. */
  refused(code: ErrorCode): void;
}

/** Whether the connection is of any use to this principal. */
export function mayUseV1(principal: Principal): boolean {
  return principal.maySomeStream || principal.maySome("listen", "recordings");
}

export class Authentication<Message> {
  readonly #host: AuthenticationHost;
  #principal: Principal;
  /** Messages that the socket delivered although it is paused; undefined while no token is being checked. */
  #waiting: Message[] | undefined;
  #forget = () => undefined as void;

  constructor(principal: Principal, host: AuthenticationHost) {
    this.#principal = principal;
    this.#host = host;
  }

  get principal(): Principal {
    return this.#principal;
  }

  /** Ends the connection if the token of HELLO is wrong, or the principal may do nothing here. */
  greet(token: string | undefined, dispatch: (message: Message) => void): void {
    if (token === undefined) return this.#enter(this.#principal);
    try {
      const found = this.#host.access.authenticate({ secret: token }, this.#principal.address);
      if (found instanceof Promise) void this.#await(found, dispatch);
      else this.#enter(found);
    } catch (error) {
      this.#host.refused(toWavecacheError(error).code);
    }
  }

  /** Whether the message has to wait until the token is checked. */
  holds(message: Message): boolean {
    this.#waiting?.push(message);
    return this.#waiting !== undefined;
  }

  /** The connection is over. */
  close(): void {
    this.#waiting = undefined;
    this.#forget();
  }

  /** Throws TOKEN_LIMIT_REACHED. */
  #enter(principal: Principal): void {
    this.#principal = principal;
    if (!mayUseV1(principal)) return this.#host.refused(principal.refusal);
    this.#host.identify(principal);
    this.#forget = principal.whenOver(() => this.#host.refused("UNAUTHENTICATED"));
  }

  async #await(found: Promise<Principal>, dispatch: (message: Message) => void): Promise<void> {
    const waiting: Message[] = [];
    this.#waiting = waiting;
    this.#host.pause();
    try {
      const principal = await found;
      if (this.#waiting !== waiting) return;
      this.#enter(principal);
    } catch (error) {
      this.#host.refused(toWavecacheError(error).code);
    }
    // A refusal closes, and what waits is forgotten.
    if (this.#waiting !== waiting) return;
    this.#waiting = undefined;
    this.#host.resume();
    for (const message of waiting) dispatch(message);
  }
}
