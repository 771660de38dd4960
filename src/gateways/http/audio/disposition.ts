/** Content-Disposition (RFC 6266): the name that audio is saved under. */
import { unsafeCharacters } from "../../../base/log/unsafe-characters.ts";

const maxNameChars = 200;

/**
 * `name` may be any text, such as a path of another system. Its last component is used, without the characters that
 * no file should have. `fallback` names a file whose name has no others.
 */
export function contentDisposition(kind: "inline" | "attachment", name: string, fallback: string): string {
  const clean = cleanName(name) || cleanName(fallback);
  const plain = clean.replaceAll(/[^\x20-\x7e]|["\\%]/g, "_");
  const plainName = `filename="${plain}"`;
  return plain === clean
    ? `${kind}; ${plainName}`
    : `${kind}; ${plainName}; filename*=UTF-8''${encode(clean)}`;
}

function cleanName(name: string): string {
  const last = name.split(/[/\\]/).findLast((part) => part !== "") ?? "";
  const safe = Array.from(last.replace(unsafeCharacters, "")).slice(0, maxNameChars).join("").trim();
  return /^\.*$/.test(safe) ? "" : safe;
}

/** Percent-encoding with the characters of RFC 8187, section 3.2.1. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/['()*]/g, percentEncode);
}

function percentEncode(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}
