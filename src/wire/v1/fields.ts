/** Takes the elements of a decoded array one after the other, each as what it has to be. */
import { maxChannelNumber } from "../../base/limits/v1.ts";
import { toHex } from "./hex.ts";

/** An element is not what it has to be; the message says what was expected. */
export class BadField extends Error {}

const sha256Bytes = 32;

export class Fields {
  readonly #elements: unknown[];
  #next: number;

  constructor(elements: unknown[], from = 0) {
    this.#elements = elements;
    this.#next = from;
  }

  /** A whole number from `min` to `max`; one beyond 2^53 - 1 never is. */
  whole(what: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.#take(what);
    if (!Number.isSafeInteger(value)) throw new BadField(`${what} is no whole number`);
    const whole = value as number;
    if (whole < min || whole > max) throw new BadField(`${what} is not in ${min} to ${max}`);
    // 0 for the -0 that a float can be.
    return whole + 0;
  }

  channel(min = 1): number {
    return this.whole("channel", min, maxChannelNumber);
  }

  /** `minChars` to `maxChars`, in UTF-16 units. */
  text(what: string, minChars: number, maxChars: number): string {
    const value = this.#take(what);
    if (typeof value !== "string" || !value.isWellFormed()) throw new BadField(`${what} is no text`);
    if (value.length < minChars || value.length > maxChars) {
      throw new BadField(`${what} has not ${minChars} to ${maxChars} characters`);
    }
    return value;
  }

  flag(what: string): boolean {
    const value = this.#take(what);
    if (typeof value !== "boolean") throw new BadField(`${what} is neither true nor false`);
    return value;
  }

  /** The one of `choices` at the place that the element names. */
  choice<T>(what: string, choices: readonly T[]): T {
    return choices[this.whole(what, 0, choices.length - 1)]!;
  }

  /** `minBytes` to `maxBytes`, as a view. */
  bytes(what: string, minBytes: number, maxBytes: number): Uint8Array {
    const value = this.#take(what);
    if (!(value instanceof Uint8Array)) throw new BadField(`${what} is not binary`);
    if (value.length < minBytes || value.length > maxBytes) {
      throw new BadField(`${what} has not ${minBytes} to ${maxBytes} bytes`);
    }
    return value;
  }

  /** In lower-case hex. */
  sha256(): string {
    return toHex(this.bytes("SHA-256", sha256Bytes, sha256Bytes));
  }

  list(what: string, maxItems: number): unknown[] {
    const value = this.#take(what);
    if (!Array.isArray(value)) throw new BadField(`${what} is no array`);
    if (value.length > maxItems) throw new BadField(`${what} has more than ${maxItems} elements`);
    return value;
  }

  map(what: string): Map<string, unknown> {
    const value = this.#take(what);
    const isPlain =
      typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
    if (!isPlain) throw new BadField(`${what} is no map`);
    return new Map(Object.entries(value));
  }

  /** Undefined for nil, otherwise what `take` makes of the element. */
  optional<T>(take: (fields: Fields) => T): T | undefined {
    const value = this.#elements[this.#next];
    if (value !== null || this.#next >= this.#elements.length) return take(this);
    this.#next += 1;
    return undefined;
  }

  #take(what: string): unknown {
    if (this.#next >= this.#elements.length) throw new BadField(`${what} is missing`);
    return this.#elements[this.#next++];
  }
}
