/** Whether the server can do its work now, and what prevents it: `/readyz` shows this to load balancers and operators. */
import { type ErrorCode, errorRow } from "./errors.ts";

export interface ReadinessReason {
  code: ErrorCode;
  message: string;
}

export class Readiness {
  readonly #messages = new Map<ErrorCode, string>();
  readonly #notes = new Map<ErrorCode, string>();

  /** Enters a reason, or gives it another message. Returns true if the reason is new. */
  set(code: ErrorCode, message: string = errorRow(code).reason): boolean {
    const isNew = !this.#messages.has(code);
    this.#messages.set(code, message);
    return isNew;
  }

  /** Removes a reason. Returns true if it was there. */
  clear(code: ErrorCode): boolean {
    return this.#messages.delete(code);
  }

  has(code: ErrorCode): boolean {
    return this.#messages.has(code);
  }

  /** Enters what an operator should know, though the server can do its work. */
  note(code: ErrorCode, message: string): void {
    this.#notes.set(code, message);
  }

  clearNote(code: ErrorCode): void {
    this.#notes.delete(code);
  }

  get notes(): ReadinessReason[] {
    return Array.from(this.#notes, ([code, message]) => ({ code, message }));
  }

  get isReady(): boolean {
    return this.#messages.size === 0;
  }

  /** Oldest first. */
  get reasons(): ReadinessReason[] {
    return Array.from(this.#messages, ([code, message]) => ({ code, message }));
  }
}
