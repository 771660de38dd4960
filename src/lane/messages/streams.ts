/**
 * The messages of uploads and reads on a lane. A record has a kind, a subject and a body (see ring.ts); numbers in bodies
 * are little-endian.
 *
 * To a writer, the subject is the upload's slot:
 *
 *     WRITE_OPEN    u8 1 = resume, then the name of the incoming file
 *     WRITE_DATA    audio
 *     WRITE_FENCE   -                               answered once all audio before it is in the file
 *     WRITE_SEAL    -                               ends the audio: computes the digest, closes the file
 *     WRITE_CLOSE   u8 1 = delete the file          frees the slot, in any state
 *
 * From a writer:
 *
 *     WRITE_OPENED  f64 bytes kept (0 unless resumed), 32 bytes SHA-256 of them
 *     WRITE_FENCED  f64 bytes in the file
 *     WRITE_SEALED  f64 size, 32 bytes SHA-256, then the audio format (MIME type) or nothing
 *     WRITE_FAILED  u32 error number, then detail   at most once per slot; data is discarded until WRITE_CLOSE
 *     WRITE_CLOSED  f64 bytes in the file           the slot is free
 *
 * To a reader, the subject is a file's handle:
 *
 *     READ_OPEN     u8 1 = object (verified), then the path
 *     READ_RANGE    f64 offset, f64 length          in bytes
 *     READ_CHECK    f64 offset, f64 length, f64 size of the object: verifies the range, answers with no audio
 *     READ_VERIFY   f64 offset, f64 length: verifies the range of an object, answers with the file's identity
 *     READ_CLOSE    -
 *
 * From a reader, for each READ_RANGE, READ_CHECK and READ_VERIFY, in order:
 *
 *     READ_PART     audio                           more of this answer follows
 *     READ_LAST     audio                           ends this answer
 *     READ_FAILED   u32 error number, then detail   ends this answer; its parts are void
 *     READ_VOID     -                               room of a part that could not be read; READ_FAILED follows
 */

export const WRITE_OPEN = 1;
export const WRITE_DATA = 2;
export const WRITE_FENCE = 3;
export const WRITE_SEAL = 4;
export const WRITE_CLOSE = 5;

export const WRITE_OPENED = 17;
export const WRITE_FENCED = 18;
export const WRITE_SEALED = 19;
export const WRITE_FAILED = 20;
export const WRITE_CLOSED = 21;

export const READ_OPEN = 33;
export const READ_RANGE = 34;
export const READ_CLOSE = 35;
export const READ_CHECK = 36;
export const READ_VERIFY = 37;

export const READ_PART = 49;
export const READ_LAST = 50;
export const READ_FAILED = 51;
export const READ_VOID = 52;

export const digestBytes = 32;

/** What the file of an upload has when the writer opens it. */
export interface Kept {
  /** In bytes; 0 unless the upload is resumed. */
  size: number;
  /** Of these bytes, in lower-case hex. */
  sha256: string;
}

/** The result of a complete upload. */
export interface Sealed {
  /** In bytes. */
  size: number;
  /** Lower-case hex. */
  sha256: string;
  /** MIME type, detected from the first bytes; null if none is known. */
  format: string | null;
}

/** An error on a lane: a number of `base/errors.ts`, and a detail for the log. */
export interface Failure {
  number: number;
  detail: string;
}

/** The body of a record: `length` bytes at `offset` of shared memory. */
export interface Body {
  bytes: Uint8Array;
  offset: number;
  length: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The body of `WRITE_OPEN` and `READ_OPEN`: a flag and a text. */
export function encodeOpen(flag: boolean, text: string): Uint8Array {
  const encoded = encoder.encode(text);
  const body = new Uint8Array(1 + encoded.length);
  body[0] = flag ? 1 : 0;
  body.set(encoded, 1);
  return body;
}

export function decodeOpen(body: Body): { flag: boolean; text: string } {
  return { flag: body.bytes[body.offset] === 1, text: textAt(body, 1) };
}

export const numberBytes = 8;

/** A byte count as f64: exact up to 2^53. */
export function encodeNumber(value: number): Uint8Array {
  const body = new Uint8Array(numberBytes);
  new DataView(body.buffer).setFloat64(0, value, true);
  return body;
}

export function decodeNumber(body: Body, at = 0): number {
  return viewOf(body).getFloat64(at, true);
}

/** The body of READ_RANGE, READ_CHECK and READ_VERIFY. */
export function encodeNumbers(...numbers: number[]): Uint8Array {
  const body = new Uint8Array(numbers.length * numberBytes);
  const view = new DataView(body.buffer);
  numbers.forEach((number, index) => view.setFloat64(index * numberBytes, number, true));
  return body;
}

export function encodeKept(size: number, digest: Uint8Array): Uint8Array {
  const body = new Uint8Array(numberBytes + digestBytes);
  body.set(encodeNumber(size));
  body.set(digest, numberBytes);
  return body;
}

export function decodeKept(body: Body): Kept {
  return { size: decodeNumber(body), sha256: digestAt(body, numberBytes) };
}

export function encodeSealed(size: number, digest: Uint8Array, format: string | undefined): Uint8Array {
  const text = encoder.encode(format ?? "");
  const body = new Uint8Array(numberBytes + digestBytes + text.length);
  body.set(encodeNumber(size));
  body.set(digest, numberBytes);
  body.set(text, numberBytes + digestBytes);
  return body;
}

export function decodeSealed(body: Body): Sealed {
  return {
    size: decodeNumber(body),
    sha256: digestAt(body, numberBytes),
    format: textAt(body, numberBytes + digestBytes) || null,
  };
}

/** Longer details are cut: they go into a log line. */
const maxDetailChars = 512;

export function encodeFailure(failure: Failure): Uint8Array {
  const text = encoder.encode(failure.detail.slice(0, maxDetailChars));
  const body = new Uint8Array(4 + text.length);
  new DataView(body.buffer).setUint32(0, failure.number, true);
  body.set(text, 4);
  return body;
}

export function decodeFailure(body: Body): Failure {
  return { number: viewOf(body).getUint32(0, true), detail: textAt(body, 4) };
}

function viewOf(body: Body): DataView {
  return new DataView(body.bytes.buffer, body.offset, body.length);
}

/** The digest at byte `skip` of a body, in lower-case hex. */
function digestAt(body: Body, skip: number): string {
  const start = body.offset + skip;
  return body.bytes.slice(start, start + digestBytes).toHex();
}

/** The text from byte `skip` of a body to its end. It is copied first, since TextDecoder refuses shared memory. */
function textAt(body: Body, skip: number): string {
  return decoder.decode(body.bytes.slice(body.offset + skip, body.offset + body.length));
}
