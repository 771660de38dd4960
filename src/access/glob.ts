/**
 * Patterns of resources: `*` stands for any text without a slash, `**` for any text. A pattern is matched as a
 * nondeterministic automaton with one state a character, so no text takes more than its length times that of the
 * pattern, whatever either holds.
 */

const star = -1;
const globstar = -2;

export class Glob {
  readonly source: string;
  /** The pattern up to its first star, and whether that is all of it. */
  readonly head: string;
  readonly isLiteral: boolean;
  /** Code units, `star` and `globstar`. */
  readonly #codes: readonly number[];
  readonly #tail: string;

  /** `source` may hold any character by percent-encoding, which then has no special meaning. Throws a `URIError`. */
  constructor(source: string) {
    this.source = source;
    const parts = source.split(/(\*\*|\*)/);
    const literals = parts.map((part) => (part.startsWith("*") ? part : decodeURIComponent(part)));
    this.head = literals[0]!;
    this.isLiteral = parts.length === 1;
    this.#tail = literals.at(-1)!;
    this.#codes = parts.flatMap((part, index) => codesOf(part, literals[index]!));
  }

  matches(text: string): boolean {
    if (this.isLiteral) return text === this.head;
    if (text.length < this.head.length + this.#tail.length) return false;
    if (!text.startsWith(this.head) || !text.endsWith(this.#tail)) return false;
    return runs(this.#codes, text, this.head.length);
  }

  /** Whether it could match a text that begins with this prefix. */
  reaches(prefix: string): boolean {
    if (this.head.startsWith(prefix)) return true;
    return !this.isLiteral && prefix.startsWith(this.head);
  }
}

function codesOf(part: string, literal: string): number[] {
  if (part === "**") return [globstar];
  if (part === "*") return [star];
  return Array.from({ length: literal.length }, (_, at) => literal.charCodeAt(at));
}

/** Whether the automaton accepts the text. Its first `from` codes are known to be those of the text. */
function runs(codes: readonly number[], text: string, from: number): boolean {
  let states = new Uint8Array(codes.length + 1);
  let following = new Uint8Array(codes.length + 1);
  enter(states, from, codes);
  for (let at = from; at < text.length; at++) {
    following.fill(0);
    const code = text.charCodeAt(at);
    for (let state = from; state < codes.length; state++) {
      if (states[state] === 0) continue;
      const expected = codes[state]!;
      if (expected === globstar || (expected === star && code !== slash)) enter(following, state, codes);
      else if (expected === code) enter(following, state + 1, codes);
    }
    [states, following] = [following, states];
  }
  return states[codes.length] === 1;
}

const slash = "/".charCodeAt(0);

/** A star may stand for nothing, so that its state is also the one behind it. */
function enter(states: Uint8Array, first: number, codes: readonly number[]): void {
  let state = first;
  states[state] = 1;
  while (state < codes.length && codes[state]! < 0) states[(state += 1)] = 1;
}
