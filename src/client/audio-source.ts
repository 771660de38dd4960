/** What is uploaded. */

/** Audio that can be read from any offset. */
export interface AudioSource {
  readonly sizeBytes: number;
  /**
   * The `length` bytes at `offset`; fewer only if the source has shrunk. The view must stay as it is until the next
   * call.
   */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>>;
}

/** A source over bytes in memory. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>): AudioSource {
  return { sizeBytes: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}
