/** Audio to upload. */

/** Bytes that can be read at any offset, as often as needed. */
export interface AudioSource {
  readonly sizeBytes: number;
  /**
   * Reads `length` bytes at `offset`; returns fewer only if the source has shrunk. The view must stay unchanged until
   * the next call, so that a source may reuse its buffer.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
  /** Whether something may have written to the source since it was opened; sources without it never change. */
  isTouched?(): Promise<boolean>;
}

/** A source of the bytes in memory; they are not copied. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>): AudioSource {
  return { sizeBytes: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
