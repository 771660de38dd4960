/** Reads the elements of a decoded array in order, and checks the type and range of each. */
import { maxChannelNumber } from "../../base/limits/v1.ts";
import { toHex } from "./hex.ts";

/** An element is missing, or has a wrong type or range; the message says which. */
export class BadField extends Error {}

const sha256Bytes = 32;

export class Fields {
  readonly #elements: unknown[];
  #next: number;

  constructor(elements: unknown[], from = 0) {
    this.#elements = elements;
    this.#next = from;
  }

  /** A whole number from `min` to `max`; never above 2^53 - 1. */
  whole(what: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(what);
    if (!Number.isSafeInteger(value)) throw new BadField(`${what} is not a whole number`);
    const whole = value as number;
    if (whole < min || whole > max) throw new BadField(`${what} is not in ${min} to ${max}`);
    // Turns the -0 of a float into 0.
    return whole + 0;
  }

  channel(min = 1): number {
    return this.whole("channel", min, maxChannelNumber);
  }

  /** A text of `minChars` to `maxChars` UTF-16 units. */
  text(what: string, minChars: number, maxChars: number): string {
    const value = this.#take(what);
    if (typeof value !== "string" || !value.isWellFormed()) throw new BadField(`${what} is not a text`);
    if (value.length < minChars || value.length > maxChars) {
      throw new BadField(`${what} does not have ${minChars} to ${maxChars} characters`);
    }
    return value;
  }

  flag(what: string): boolean {
    const value = this.#take(what);
    if (typeof value !== "boolean") throw new BadField(`${what} is neither true nor false`);
    return value;
  }

  /** The entry of `choices` at the index in the element. */
  choice<T>(what: string, choices: readonly T[]): T {
    return choices[this.whole(what, 0, choices.length - 1)]!;
  }

  /** A view of `minBytes` to `maxBytes` bytes. */
  bytes(what: string, minBytes: number, maxBytes: number): Uint8Array {
    const value = this.#take(what);
    if (!(value instanceof Uint8Array)) throw new BadField(`${what} is not binary`);
    if (value.length < minBytes || value.length > maxBytes) {
      throw new BadField(`${what} does not have ${minBytes} to ${maxBytes} bytes`);
    }
    return value;
  }

  /** In lower-case hex. */
  sha256(): string {
    return toHex(this.bytes("SHA-256", sha256Bytes, sha256Bytes));
  }

  list(what: string, maxItems: number): unknown[] {
    const value = this.#take(what);
    if (!Array.isArray(value)) throw new BadField(`${what} is not an array`);
    if (value.length > maxItems) throw new BadField(`${what} has more than ${maxItems} elements`);
    return value;
  }

  map(what: string): Map<string, unknown> {
    const value = this.#take(what);
    const isPlain =
      typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
    if (!isPlain) throw new BadField(`${what} is not a map`);
    return new Map(Object.entries(value));
  }

  /** Undefined for nil, otherwise the result of `take`. */
  optional<T>(take: (fields: Fields) => T): T | undefined {
    const value = this.#elements[this.#next];
    if (value !== null || this.#next >= this.#elements.length) return take(this);
    this.#next += 1;
    return undefined;
  }

  /** An element that a later revision has appended: undefined if it is missing or nil, otherwise the result of `take`. */
  appended<T>(take: (fields: Fields) => T): T | undefined {
    return this.#next < this.#elements.length ? this.optional(take) : undefined;
  }

  #take(what: string): unknown {
    if (this.#next >= this.#elements.length) throw new BadField(`${what} is missing`);
    return this.#elements[this.#next++];
  }
}
