/**
 * Plain songs for addresses outside `--udp-allow`. Their requests may be forged, so an answer ends where the
 * amplification limit does: a client gets a short song whole, and of a long one the first datagrams. The plain protocol
 * has no message that could prove the address; the reliable protocol has.
 */
import { toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxUnvalidatedBytes, maxUnvalidatedSongs } from "../../base/limits/songs.ts";
import { songDatagrams } from "../../wire/song-udp.ts";
import { AmplificationLimit } from "./amplification-limit.ts";
import { keyOf, type Peer, type UdpSong } from "./transfer.ts";

/** What these answers need of the gateway. */
export interface UnvalidatedSongsHost {
  /** Throws SONG_UNKNOWN. */
  open(peer: Peer, name: string): Promise<UdpSong>;
  answer(peer: Peer, datagram: Uint8Array): void;
  /** The client gets no answer, or only the beginning of it. */
  refused(peer: Peer, error: unknown): void;
}

export class UnvalidatedSongs {
  readonly #host: UnvalidatedSongsHost;
  readonly #limit = new AmplificationLimit();
  /** Peers whose song is being read. */
  readonly #answering = new Set<string>();

  constructor(host: UnvalidatedSongsHost) {
    this.#host = host;
  }

  /** True while an answer to this peer is being read: another datagram in between could pass for its end. */
  isAnswering(peer: Peer): boolean {
    return this.#answering.has(keyOf(peer));
  }

  /** Answers a request of this many bytes; `name` is undefined if it is not valid. */
  async answer(peer: Peer, requestBytes: number, name: string | undefined): Promise<void> {
    this.#limit.received(peer.address, requestBytes, performance.now());
    if (this.isAnswering(peer) || name === undefined) return;
    if (this.#answering.size === maxUnvalidatedSongs)
      return this.#host.refused(peer, new WavecacheError("TRANSFERS_EXHAUSTED"));
    this.#answering.add(keyOf(peer));
    try {
      await this.#send(peer, name);
    } catch (error) {
      if (toWavecacheError(error).code === "SONG_UNKNOWN") this.#host.answer(peer, new Uint8Array(0));
      else this.#host.refused(peer, error);
    } finally {
      this.#answering.delete(keyOf(peer));
    }
  }

  async #send(peer: Peer, name: string): Promise<void> {
    const song = await this.#host.open(peer, name);
    try {
      const bytes = await song.read(0, Math.min(song.size, maxUnvalidatedBytes));
      const isWhole = bytes.length === song.size;
      const datagrams = songDatagrams(bytes, isWhole);
      const refused = datagrams.findIndex((datagram) => !this.#sendWithin(peer, datagram));
      if (refused >= 0 || !isWhole) this.#host.refused(peer, new WavecacheError("ADDRESS_REFUSED"));
    } finally {
      await song.close();
    }
  }

  /** Sends a datagram, unless the limit forbids it: then returns false. */
  #sendWithin(peer: Peer, datagram: Uint8Array): boolean {
    if (!this.#limit.take(peer.address, datagram.length)) return false;
    this.#host.answer(peer, datagram);
    return true;
  }
}
