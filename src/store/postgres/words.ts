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

/**
 * A `tsquery`: every part between spaces must be there, its words next to each other, and the last word as a prefix.
 * Undefined if the text has no words, which nothing matches.
 */
export function toQuery(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex
  const parts = text.split(/[\s\u0000]+/).filter((part) => part !== "");
  const phrases = parts.map((part, index) => {
    const words = wordsOf(part).map((word) => `'${word}'`);
    const isLast = index === parts.length - 1;
    return words.map((word, at) => (isLast && at === words.length - 1 ? `${word}:*` : word)).join(" <-> ");
  });
  const present = phrases.filter((phrase) => phrase !== "");
  return present.length === 0 ? undefined : present.map((phrase) => `(${phrase})`).join(" & ");
}

/** In lower case as far as it is ASCII, which is what `NOCASE` compares in SQLite. */
export function foldAscii(text: string): string {
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
