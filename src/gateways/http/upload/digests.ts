/** Digests that a client declares (RFC 9530), before the server takes its audio. */
import { ParameterError, WavecacheError } from "../../../base/errors.ts";

/**
 * Of the body, and of the audio that it stands for. They are the same: no operation takes an encoded or partial body.
 */
export const digestHeaders = ["repr-digest", "content-digest"] as const;

const anySha256 = /(?:^|,)\s*sha-256\s*=/;
/** A byte sequence of RFC 8941, section 3.3.5. */
const sha256Member = /(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/]{43}=):\s*(?=[,;]|$)/;

/**
 * The SHA-256 in lower-case hex; undefined if there is none. Other algorithms are ignored, as the RFC has it. Throws
 * `ParameterError` for a malformed one, and DIGEST_WRONG if the two headers contradict each other.
 */
export function declaredSha256(headers: Headers): string | undefined {
  const found = digestHeaders.map((name) => sha256In(headers, name)).filter((each) => each !== undefined);
  if (new Set(found).size > 1) throw new WavecacheError("DIGEST_WRONG");
  return found[0];
}

function sha256In(headers: Headers, name: string): string | undefined {
  const text = headers.get(name);
  if (text === null || !anySha256.test(text)) return undefined;
  const base64 = sha256Member.exec(text)?.[1];
  if (base64 === undefined) throw new ParameterError(name, "expected sha-256=:BASE64:");
  return Buffer.from(base64, "base64").toString("hex");
}

/** The value of Repr-Digest for a SHA-256 in hex. */
export function reprDigest(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
}
