/**
 * The headers of tus 1.0 (https://tus.io/protocols/resumable-upload): a client creates an upload, asks for its offset and
 * sends the rest from there.
 *
 *     Upload-Offset, Upload-Length  a decimal number of bytes
 *     Upload-Metadata               key SP base64 of the value, separated by commas; a key may have no value
 *     Upload-Checksum               algorithm SP base64 of the digest of this request's body
 */
import { ParameterError } from "../base/errors.ts";
import { maxTusMetadataChars } from "../base/limits/tus.ts";

export const tusVersion = "1.0.0";
/** The media type of a body that continues an upload. */
export const offsetOctetStream = "application/offset+octet-stream";

/** The algorithms of Upload-Checksum, with the bytes of their digests. The protocol requires sha1. */
const digestBytes = { sha1: 20, sha256: 32 } as const;

export type ChecksumAlgorithm = keyof typeof digestBytes;

export const checksumAlgorithms = Object.keys(digestBytes) as ChecksumAlgorithm[];

export interface Checksum {
  algorithm: ChecksumAlgorithm;
  digest: Uint8Array;
}

/** The bytes of Upload-Offset or Upload-Length; undefined without the header. Throws BAD_REQUEST. */
export function decodeBytes(header: string, headers: Headers): number | undefined {
  const text = headers.get(header);
  if (text === null) return undefined;
  const bytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw new ParameterError(header, "expected a whole number of bytes");
  return bytes;
}

/** The digest in Upload-Checksum; undefined without the header. Throws BAD_REQUEST. */
export function decodeChecksum(headers: Headers): Checksum | undefined {
  const header = "Upload-Checksum";
  const text = headers.get(header);
  if (text === null) return undefined;
  const [name, encoded = ""] = text.split(" ", 2);
  const algorithm = checksumAlgorithms.find((each) => each === name);
  if (algorithm === undefined) {
    throw new ParameterError(header, `expected one of ${checksumAlgorithms.join(", ")} before the digest`);
  }
  const digest = decodeBase64(encoded);
  if (digest?.length !== digestBytes[algorithm]) {
    throw new ParameterError(header, `expected ${digestBytes[algorithm]} bytes as base64`);
  }
  return { algorithm, digest };
}

/** The values of Upload-Metadata, by their keys; empty without the header. Throws BAD_REQUEST. */
export function decodeMetadata(headers: Headers): Map<string, string> {
  const header = "Upload-Metadata";
  const text = headers.get(header)?.trim() ?? "";
  const values = new Map<string, string>();
  if (text.length > maxTusMetadataChars) {
    throw new ParameterError(header, `longer than ${maxTusMetadataChars} characters`);
  }
  if (text === "") return values;
  for (const pair of text.split(",")) {
    const [, key, encoded = ""] = /^ *([\x21-\x2b\x2d-\x7e]+)(?: ([^ ]*))? *$/.exec(pair) ?? [];
    if (key === undefined) throw new ParameterError(header, "expected pairs of a key and a value in base64");
    if (values.has(key)) throw new ParameterError(header, "a key comes twice");
    const value = decodeText(encoded);
    if (value === undefined) throw new ParameterError(header, "a value is not UTF-8 in base64");
    values.set(key, value);
  }
  return values;
}

/** The inverse of `decodeMetadata`. */
export function encodeMetadata(values: ReadonlyMap<string, string>): string {
  const pairs = Array.from(values, ([key, value]) =>
    value === "" ? key : `${key} ${Buffer.from(value).toString("base64")}`,
  );
  return pairs.join(",");
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(encoded: string): string | undefined {
  const bytes = decodeBase64(encoded);
  if (bytes === undefined) return undefined;
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** `Buffer.from` skips what is no base64: compare what it has understood. Padding may be missing. */
function decodeBase64(encoded: string): Uint8Array | undefined {
  const bytes = Buffer.from(encoded, "base64");
  return withoutPadding(bytes.toString("base64")) === withoutPadding(encoded) ? bytes : undefined;
}

function withoutPadding(encoded: string): string {
  return encoded.replace(/={0,2}$/, "");
}
