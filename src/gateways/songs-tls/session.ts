/** One connection of the TLS door: a name comes in, the song goes out, and the end of the connection is its end. */
import type { Socket } from "node:net";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { type ErrorCode, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxSongSurplusBytes, songLingerMs, songReadBytes } from "../../base/limits/songs.ts";
import type { Log } from "../../base/log.ts";
import { decodeSongName } from "../../wire/song-name.ts";

/** A song as long as it is sent. */
export interface OpenSong {
  readonly size: number;
  /**
   * Exactly the bytes asked for, which lie within the size, in the memory of `into`; throws where the file has no such
   * bytes any more.
   */
  read(offset: number, length: number, into: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  close(): void | Promise<void>;
}

/** What this door needs of the engine. */
export interface SongSource {
  /** Throws SONG_UNKNOWN for a name that no song has. */
  open(name: string): Promise<OpenSong>;
}

export interface SessionSettings {
  songs: SongSource;
  meter: GatewayMeter;
  log: Log;
  /** For the handshake and the name together. */
  nameTimeoutMs: number;
  /** For a peer that takes nothing. */
  stallTimeoutMs: number;
}

/** What is answered with no data and a proper end. */
const noSong: ReadonlySet<ErrorCode> = new Set(["SONG_UNKNOWN", "BAD_REQUEST"]);

const maxLoggedChars = 128;

export class SongSession {
  readonly #socket: Socket;
  readonly #settings: SessionSettings;
  /** Taken now: a socket that is closed has no address any more. */
  readonly #address: string;
  #patience: Timer;
  #hasRequest = false;
  #surplusBytes = 0;

  /** The socket stays readable after the peer's end: a peer may say all it has to say before it listens. */
  constructor(socket: Socket, address: string, settings: SessionSettings) {
    this.#socket = socket;
    this.#address = address;
    this.#settings = settings;
    this.#patience = setTimeout(() => this.#giveUp("no name came"), settings.nameTimeoutMs);
    socket.on("error", (error) => settings.log.debug("a connection broke", { address, error }));
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.once("end", () => {
      if (!this.#hasRequest) socket.end();
    });
    socket.once("close", () => clearTimeout(this.#patience));
  }

  /** Cuts the connection, so that the peer cannot take what it has for a whole song. */
  cut(): void {
    this.#socket.resetAndDestroy();
  }

  #received(bytes: Uint8Array): void {
    if (this.#hasRequest) return this.#discard(bytes);
    this.#hasRequest = true;
    void this.#answer(bytes);
  }

  async #answer(request: Uint8Array): Promise<void> {
    const { songs, meter, log } = this.#settings;
    meter.bytesIn += request.length;
    const name = decodeSongName(request);
    const shown = name?.slice(0, maxLoggedChars) ?? "";
    this.#waitFor(() => this.#giveUp("it takes nothing of a song", shown), this.#settings.stallTimeoutMs);
    try {
      if (name === undefined) throw new WavecacheError("BAD_REQUEST", "no name of a song");
      const song = await songs.open(name);
      try {
        const isWhole = await this.#send(song);
        log.debug("a song was sent", { address: this.#address, name: shown, bytes: song.size, isWhole });
      } finally {
        await song.close();
      }
    } catch (error) {
      this.#fail(error, shown);
    }
  }

  /**
   * Reads the next piece while one leaves: a slow peer costs two pieces of memory, whatever the song's size. False if
   * the peer went away.
   */
  async #send(song: OpenSong): Promise<boolean> {
    // New memory for each piece would cost a fifth more time: the system has to find and clear it.
    const bytes = Math.min(songReadBytes, song.size);
    let [leaving, free] = [new Uint8Array(bytes), new Uint8Array(bytes)];
    let piece = await readPiece(song, 0, leaving);
    for (let offset = piece.length; piece.length > 0; offset += piece.length) {
      const [next] = await Promise.all([readPiece(song, offset, free), this.#write(piece)]);
      if (this.#socket.destroyed) return false;
      [leaving, free] = [free, leaving];
      piece = next;
    }
    this.#end();
    return true;
  }

  /** Resolves when the kernel has the bytes, or the connection is over. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(bytes, (error) => {
        if (!error) this.#left(bytes.length);
        resolve();
      });
    });
  }

  #left(bytes: number): void {
    this.#settings.meter.bytesOut += bytes;
    this.#patience.refresh();
  }

  /** What was sent stays on its way, even if the peer does not close and is left after a while. */
  #end(): void {
    this.#socket.end(() => this.#waitFor(() => this.#socket.destroy(), songLingerMs));
  }

  /** A song that nobody has is no data and a proper end; any other failure must not look like that. */
  #fail(error: unknown, name: string): void {
    const failure = toWavecacheError(error);
    const { meter, log } = this.#settings;
    const fields = { address: this.#address, name, code: failure.code, error: failure };
    meter.failed(failure.code);
    if (noSong.has(failure.code)) {
      log.debug("a song was refused", fields);
      this.#end();
    } else {
      log.error("a song could not be sent", fields);
      this.cut();
    }
  }

  /** Unread bytes would make the system cut the connection when it is closed, with what is still on its way. */
  #discard(surplus: Uint8Array): void {
    this.#surplusBytes += surplus.length;
    if (this.#surplusBytes > maxSongSurplusBytes)
      this.#giveUp("it sends more than a name", "", "MESSAGE_TOO_LARGE");
  }

  #giveUp(why: string, name = "", code: ErrorCode = "PEER_STALLED"): void {
    this.#settings.meter.failed(code);
    const fields = { address: this.#address, why, name };
    // Whoever looks for open ports gets this far, so it is not worth a word.
    if (this.#hasRequest) this.#settings.log.warn("closing a connection", fields);
    else this.#settings.log.debug("closing a connection", fields);
    this.cut();
  }

  #waitFor(then: () => void, ms: number): void {
    clearTimeout(this.#patience);
    if (!this.#socket.destroyed) this.#patience = setTimeout(then, ms);
  }
}

function readPiece(song: OpenSong, offset: number, into: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const length = Math.min(into.length, song.size - offset);
  return length > 0 ? song.read(offset, length, into) : Promise.resolve(new Uint8Array(0));
}
