/** A song download, over any protocol. */

/** How a download ended. */
export interface SongResult {
  /** Bytes received. */
  bytes: number;
  /** Whether the whole song was received; undefined if its size is unknown. */
  complete: boolean | undefined;
  /** Whether the bytes have the server's SHA-256. */
  verified: boolean;
}

export interface SongDownload {
  /** Bytes; undefined if the protocol does not tell. */
  readonly size: number | undefined;
  /** Lower-case hex; undefined if the protocol does not tell, or only at the end. */
  readonly sha256: string | undefined;
  /**
   * The bytes in order. They can be read once. Stopping early ends the transfer; a download that is never read stays open
   * until its signal aborts. Throws the error that ends the transfer early.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Resolves at the end of `chunks`, or rejects with what `chunks` throws. */
  readonly result: Promise<SongResult>;
}

/** The request for a song: the song protocols have no place for a token but the name. */
export function songRequest(name: string, token: string | undefined): string {
  return token === undefined ? name : `${name}?token=${token}`;
}
