/** Who the clients of transfers are, and which songs they may have. */
import type { Access } from "../../access/access.ts";
import type { Credentials } from "../../access/credentials.ts";
import type { Principal } from "../../access/principal.ts";
import { songReading } from "../../access/song-request.ts";
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import type { Peer, SongSource, Transfer, UdpSong } from "./transfer.ts";

/** The client of a transfer. */
interface Client {
  credentials: Credentials;
  /** Undefined until its credentials are checked. */
  principal: Principal | undefined;
  /** Stops watching whether the principal is over. */
  forget: () => void;
}

export class SongsAccess {
  readonly #songs: SongSource;
  readonly #access: Access;
  readonly #clients = new Map<Transfer, Client>();

  constructor(songs: SongSource, access: Access) {
    this.#songs = songs;
    this.#access = access;
  }

  /** The client of a transfer that begins. One that was not added has no credentials: the plain protocol carries none. */
  add(transfer: Transfer, credentials: Credentials): Client {
    const client = { credentials, principal: undefined, forget: () => undefined };
    this.#clients.set(transfer, client);
    return client;
  }

  /** Opens the song of a transfer, which ends with the right to it. Throws SONG_UNKNOWN, UNAUTHENTICATED. */
  async open(transfer: Transfer): Promise<UdpSong> {
    const { peer, name } = transfer;
    const client = this.#clients.get(transfer) ?? this.add(transfer, {});
    const principal = await this.#access.authenticate(client.credentials, peer.address);
    const song = await this.#songs.open(name, songReading(principal, name));
    // The transfer may have ended meanwhile; it closes the song.
    if (this.#clients.get(transfer) !== client) return song;
    client.principal = principal;
    client.forget = principal.whenOver(() => transfer.cut("UNAUTHENTICATED"));
    return song;
  }

  /** The song for a peer that nobody can vouch for. Every refusal is SONG_UNKNOWN: the protocol has no other. */
  async openAnonymous(peer: Peer, name: string): Promise<UdpSong> {
    try {
      const principal = await this.#access.authenticate({}, peer.address);
      return await this.#songs.open(name, songReading(principal, name));
    } catch (error) {
      throw toWavecacheError(error).code === "UNAUTHENTICATED" ? new WavecacheError("SONG_UNKNOWN") : error;
    }
  }

  /** The address of the client has changed: some grants hold only in some networks. */
  moved(transfer: Transfer): void {
    const { principal } = this.#clients.get(transfer) ?? {};
    if (principal === undefined) return;
    try {
      songReading(principal.at(transfer.peer.address), transfer.name);
    } catch (error) {
      transfer.cut(toWavecacheError(error).code);
    }
  }

  /** The transfer has ended. */
  forget(transfer: Transfer): void {
    this.#clients.get(transfer)?.forget();
    this.#clients.delete(transfer);
  }
}
