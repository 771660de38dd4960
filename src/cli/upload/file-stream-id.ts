/**
 * The stream id of a file, derived from its full name: the path below the uploaded folder, with that folder in front.
 *
 *     live/take.wav        live.take.wav
 *     live/cd 1/Été.wav    live.cd_1.Ete-0c7ad8338f5711b3.wav
 *
 * The id depends on this name alone, and different names have different ids. A name of letters, digits, "-", "_" and one
 * extension can be read back from its id: the last dot is that of the extension, the others were slashes. Any other
 * name, or one that is too long, gets a hash of all of it.
 */
import { createHash } from "node:crypto";
import { maxStreamIdChars } from "../../base/limits/streams.ts";

const reversible = /^(?:[A-Za-z0-9_-]+\/)*[A-Za-z0-9_-]+\.[A-Za-z0-9]{1,8}$/;
const hashChars = 16;
/** The end of an id with a hash. A reversible name that looks like one gets a hash too, or it might equal one. */
const hashed = /-[0-9a-f]{16}(?:\.[A-Za-z0-9]{1,8})?$/;

export function fileStreamId(fullName: string): string {
  const id = fullName.replaceAll("/", ".");
  const isPlain = reversible.test(fullName) && !hashed.test(id) && id.length <= maxStreamIdChars;
  return isPlain ? id : withHash(fullName);
}

function withHash(fullName: string): string {
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(fullName)?.[0] ?? "";
  const hash = createHash("sha256").update(fullName).digest("hex").slice(0, hashChars);
  const end = `-${hash}${extension}`;
  const stem = readable(fullName.slice(0, fullName.length - extension.length));
  return stem.slice(0, maxStreamIdChars - end.length) + end;
}

/** Keeps what ids can have, and letters without their accents. */
function readable(text: string): string {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "");
  return plain.replaceAll("/", ".").replace(/[^A-Za-z0-9_.-]/gu, "_");
}
