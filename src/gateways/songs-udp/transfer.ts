/** What the two forms of a transfer have in common, and what they need of the door. */
import type { ErrorCode } from "../../base/errors.ts";

/** A song, as this door needs it. */
export interface UdpSong {
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex, where it is known. */
  readonly sha256: string | undefined;
  /** Exactly these bytes, or it throws. */
  read(offset: number, length: number): Promise<Uint8Array>;
  noteDigest(sha256: string): Promise<void>;
  close(): Promise<void>;
}

/** What this door needs of the engine. */
export interface SongSource {
  /** Throws SONG_UNKNOWN. */
  open(name: string): Promise<UdpSong>;
}

/** Where datagrams go to. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Why a transfer has ended before the client had all of it. */
export type Cut = ErrorCode | "client gone" | "not wanted";

/** What a transfer needs of the door. */
export interface TransferHost extends SongSource {
  /** There is something to be sent again. */
  wake(): void;
  /** Sends one datagram at once: for what is small and answers the client. */
  answer(peer: Peer, datagram: Uint8Array): void;
  /** It is over, and all of it was sent unless it was cut. To be called once. */
  over(transfer: Transfer, cut: Cut | undefined): void;
  /** A failure that the client cannot be told of. */
  failed(transfer: Transfer, error: unknown): void;
}

/** A song on its way to one client. */
export interface Transfer {
  readonly peer: Peer;
  readonly name: string;
  /** Bytes a second, at most, now. */
  readonly bytesPerSecond: number;
  /** Datagrams that may be sent now, in their order, at most so many. */
  ready(most: number): readonly Uint8Array[];
  /** The first so many of `ready` were sent. */
  sent(count: number): void;
  /** The time goes on; called a few times a second. */
  look(now: number): void;
  /** Ends it. */
  cut(cause: Cut): void;
}
