/** What plain and reliable transfers have in common, and what they need of the gateway. */
import type { MayReadSong } from "../../access/song-request.ts";
import type { ErrorCode } from "../../base/errors.ts";

/** An open song. */
export interface UdpSong {
  /** In bytes. */
  readonly size: number;
  /** Lower-case hex; undefined while unknown. */
  readonly sha256: string | undefined;
  /** Returns exactly `length` bytes, or throws. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Stores the digest for later transfers. */
  noteDigest(sha256: string): Promise<void>;
  close(): Promise<void>;
}

/** What this gateway needs of the engine. */
export interface SongSource {
  /** Throws SONG_UNKNOWN. */
  open(name: string, mayRead: MayReadSong): Promise<UdpSong>;
}

/** The address of a client. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Why a transfer ended early. */
export type CutReason = ErrorCode | "client gone" | "not wanted";

/** What a transfer needs of the gateway. */
export interface TransferHost {
  /** Opens the song of a transfer. Throws SONG_UNKNOWN, UNAUTHENTICATED. */
  open(transfer: Transfer): Promise<UdpSong>;
  /** The transfer has datagrams to send. */
  wake(): void;
  /** Sends one datagram at once, without pacing: for short answers. */
  answer(peer: Peer, datagram: Uint8Array): void;
  /** The transfer has ended: completely, or cut. Call once. */
  ended(transfer: Transfer, cut: CutReason | undefined): void;
  /** Logs a failure to open, read or close the song. */
  failed(transfer: Transfer, error: unknown): void;
}

/** One song being sent to one client. */
export interface Transfer {
  readonly peer: Peer;
  readonly name: string;
  /** The current rate limit. */
  readonly bytesPerSecond: number;
  /** Up to `maxDatagrams` datagrams to send next, in order. */
  ready(maxDatagrams: number): readonly Uint8Array[];
  /** The first `count` datagrams of `ready` are sent. */
  sent(count: number): void;
  /** Handles timeouts; runs a few times a second. */
  tick(now: number): void;
  /** The network says that nobody receives at this address. It may say so although the client is there. */
  unreachable(): void;
  /** Ends the transfer early. */
  cut(reason: CutReason): void;
}

/** A peer as a key of maps and as text. */
export function keyOf({ address, port }: Peer): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
