/** An open song. The caller of `open` has to close it. */
export interface Song {
  readonly name: string;
  /** Bytes, fixed when the song was opened. */
  readonly size: number;
  /** Lower-case hex; undefined if it is not known yet. */
  readonly sha256: string | undefined;
  /**
   * Reads exactly these bytes, which must be within `size`, into the beginning of `into` if that is given. Rejects with
   * SONG_CHANGED if the file does not have them any more, with OBJECT_DAMAGED if they are damaged.
   */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Remembers the SHA-256 of the whole song for later openers, unless the file has changed. */
  noteDigest(sha256: string): Promise<void>;
  close(): Promise<void>;
}
