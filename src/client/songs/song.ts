/** A song on its way from a server, by whichever protocol: what is known of it, and its bytes in their order. */

/** How a download ended. */
export interface SongResult {
  /** Bytes that came. */
  bytes: number;
  /** Whether that is all of the song; undefined where the protocol does not say how long it is. */
  complete: boolean | undefined;
  /** Whether the bytes were compared with the server's SHA-256, and are the same. */
  verified: boolean;
}

export interface SongDownload {
  /** Bytes; undefined where the protocol does not say. */
  readonly size: number | undefined;
  /** Lower-case hex; undefined where the protocol does not say, or says it only at the end. */
  readonly sha256: string | undefined;
  /**
   * The bytes in order, as they come. To be read once, from now on: what nobody reads stays open until its signal ends
   * it. A reader that stops early ends the transfer. Throws what ends the transfer before its time.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Settles when `chunks` is over, and rejects with what `chunks` throws. */
  readonly result: Promise<SongResult>;
}
