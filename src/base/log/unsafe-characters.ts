/**
 * Control and format characters, lone surrogates and line separators. In a terminal or a log they can move the cursor,
 * reverse the writing direction, begin a line, or be invisible.
 */
export const unsafeCharacters = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** The same character as JSON and JavaScript write it in a string. */
export function escapeInJson(char: string): string {
  const units = Array.from({ length: char.length }, (_, at) => char.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
