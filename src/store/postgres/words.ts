/**
 * The words of the search. They are cut and folded here and not in the database, whose rules depend on its locale and on
 * extensions. SQLite's `unicode61` does the same: letters and digits make words, without case and without accents.
 */
import { maxSearchWordChars } from "../../base/limits/postgres.ts";

/** PostgreSQL takes no greater position of a word. */
const maxPosition = 16_383;

export function wordsOf(text: string): string[] {
  const folded = text
    .normalize("NFD")
    .replaceAll(/\p{M}+/gu, "")
    .toLowerCase();
  const words = folded.match(/[\p{L}\p{N}\p{Co}]+/gu) ?? [];
  return words.map((word) => word.slice(0, maxSearchWordChars).toWellFormed());
}

/** A `tsvector`, whose words are in the order of the text. */
export function toVector(text: string): string {
  const positions = new Map<string, number[]>();
  wordsOf(text).forEach((word, index) => {
    const places = positions.get(word);
    const place = Math.min(index + 1, maxPosition);
    if (places === undefined) positions.set(word, [place]);
    else places.push(place);
  });
  return Array.from(positions, ([word, places]) => `'${word}':${places.join(",")}`).join(" ");
}

export interface Term {
  word: string;
  /** Words that begin so match, too. */
  isPrefix: boolean;
}

/** Parts of the text between spaces, each with its words; the last word of the last part may be a beginning. */
export function partsOf(text: string): Term[][] {
  // oxlint-disable-next-line no-control-regex
  const parts = text.split(/[\s\u0000]+/).filter((part) => part !== "");
  const terms = parts.map((part, index) => {
    const words = wordsOf(part);
    const isLast = index === parts.length - 1;
    return words.map((word, at) => ({ word, isPrefix: isLast && at === words.length - 1 }));
  });
  return terms.filter((part) => part.length > 0);
}

/** A `tsquery`: every part must be there, its words next to each other. */
export function toQuery(parts: readonly Term[][]): string {
  return parts.map((part) => `(${part.map(toOperand).join(" <-> ")})`).join(" & ");
}

/** A `tsquery`: every term must be there, wherever it is. */
export function toLooseQuery(terms: readonly Term[]): string {
  return terms.map(toOperand).join(" & ");
}

function toOperand({ word, isPrefix }: Term): string {
  return isPrefix ? `'${word}':*` : `'${word}'`;
}

/** In lower case as far as it is ASCII, which is what `NOCASE` compares in SQLite. */
export function foldAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
