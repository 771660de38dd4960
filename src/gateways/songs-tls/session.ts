/** One TLS connection: the client sends a name, the server sends the song and closes. The close marks the end. */
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Access } from "../../access/access.ts";
import { certificateSha256 } from "../../access/certificate.ts";
import type { Principal } from "../../access/principal.ts";
import { accessRefusals } from "../../access/refusals.ts";
import type { ByteRate } from "../../access/usage.ts";
import {
  type MayReadSong,
  readSongRequest,
  songReading,
  type SongRequest,
} from "../../access/song-request.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { type ErrorCode, isLastingFault, toWavecacheError, WavecacheError } from "../../base/errors.ts";
import { maxSongSurplusBytes, songLingerMs, songReadBytes } from "../../base/limits/songs.ts";
import { type Log, withFields } from "../../base/log/log.ts";
import { newRequestId } from "../../base/request-context.ts";
import { decodeSongName } from "../../wire/song-name.ts";

/** An open song. */
export interface OpenSong {
  readonly size: number;
  /** Reads exactly `length` bytes into `into`. The range lies within `size`; throws if the file is shorter by now. */
  read(offset: number, length: number, into: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  close(): void | Promise<void>;
}

/** What this gateway needs of the engine. */
export interface SongSource {
  /** Throws SONG_UNKNOWN. */
  open(name: string, mayRead: MayReadSong): Promise<OpenSong>;
}

export interface SongTlsSettings {
  songs: SongSource;
  access: Access;
  meter: GatewayMeter;
  log: Log;
  /** For the handshake and the name together. */
  nameTimeoutMs: number;
  /** For a peer that reads nothing. */
  stallTimeoutMs: number;
  onRequest: () => void;
}

/** Errors after which the server closes properly, without data. */
const emptyAnswers: ReadonlySet<ErrorCode> = new Set(["SONG_UNKNOWN", "BAD_REQUEST", ...accessRefusals]);

const maxLoggedChars = 128;

export class SongTlsSession {
  readonly #socket: Socket;
  readonly #settings: SongTlsSettings;
  /** Kept for the log: a closed socket has no address. */
  readonly #address: string;
  #timer: Timer;
  #hasRequest = false;
  #surplusBytes = 0;
  /** The client has a part of the song: a proper close would look like its end. */
  #isSending = false;

  /** The socket must allow half-open connections: a peer may shut down its sending side before it reads. */
  constructor(socket: Socket, address: string, settings: SongTlsSettings) {
    this.#socket = socket;
    this.#address = address;
    this.#settings = { ...settings, log: withFields(settings.log, { requestId: newRequestId() }) };
    this.#timer = setTimeout(() => this.#giveUp("no name came"), settings.nameTimeoutMs);
    socket.on("data", (bytes: Uint8Array) => this.#received(bytes));
    socket.once("end", () => {
      if (!this.#hasRequest) socket.end();
    });
    socket.once("close", () => clearTimeout(this.#timer));
  }

  /** Resets the connection, so that the peer cannot mistake a part for the whole song. */
  cut(): void {
    this.#socket.resetAndDestroy();
  }

  #received(bytes: Uint8Array): void {
    if (this.#hasRequest) return this.#discard(bytes);
    this.#hasRequest = true;
    this.#settings.onRequest();
    void this.#answer(bytes);
  }

  async #answer(request: Uint8Array): Promise<void> {
    const { songs, meter, log } = this.#settings;
    meter.bytesIn += request.length;
    const text = decodeSongName(request);
    const asked = text === undefined ? undefined : readSongRequest(text);
    const shown = asked?.name.slice(0, maxLoggedChars) ?? "";
    this.#startTimer(
      () => this.#giveUp("it reads nothing of its song", shown),
      this.#settings.stallTimeoutMs,
    );
    try {
      if (asked === undefined) throw new WavecacheError("BAD_REQUEST", "not the name of a song");
      const principal = await this.#principalOf(asked);
      const mayRead = songReading(principal, asked.name);
      using _ = { [Symbol.dispose]: principal.usage.openConnection() };
      const song = await songs.open(asked.name, mayRead);
      const forget = principal.whenOver(() => this.#fail(new WavecacheError("UNAUTHENTICATED"), shown));
      try {
        const isWhole = await this.#send(song, principal.usage.out);
        log.debug("a song was sent", { address: this.#address, name: shown, bytes: song.size, isWhole });
      } finally {
        forget();
        await song.close();
      }
    } catch (error) {
      this.#fail(error, shown);
    }
  }

  /** What stands in the name comes first. Rejects with UNAUTHENTICATED and the like. */
  async #principalOf({ credentials }: SongRequest): Promise<Principal> {
    const certificate = fingerprintOf(this.#socket as TLSSocket);
    return await this.#settings.access.authenticate({ certificate, ...credentials }, this.#address);
  }

  /**
   * Sends the song with double buffering: reads the next piece while one is written, so a slow peer costs two pieces of
   * memory. False if the peer disconnected.
   */
  async #send(song: OpenSong, rate: ByteRate): Promise<boolean> {
    this.#isSending = true;
    // Two buffers alternate. Allocating one for each piece took a fifth more time.
    const bytes = Math.min(songReadBytes, song.size);
    let [current, spare] = [new Uint8Array(bytes), new Uint8Array(bytes)];
    let piece = await readPiece(song, 0, current);
    for (let offset = piece.length; piece.length > 0; offset += piece.length) {
      const [next] = await Promise.all([readPiece(song, offset, spare), this.#write(piece, rate)]);
      if (this.#socket.destroyed) return false;
      [current, spare] = [spare, current];
      piece = next;
    }
    this.#end();
    return true;
  }

  /** Resolves when the kernel has the bytes, or the connection has ended. */
  async #write(bytes: Uint8Array, rate: ByteRate): Promise<void> {
    const waitMs = rate.take(bytes.length);
    await new Promise<void>((resolve) => {
      this.#socket.write(bytes, (error) => {
        if (!error) this.#written(bytes.length);
        resolve();
      });
    });
    if (waitMs > 0) await Bun.sleep(waitMs);
  }

  #written(bytes: number): void {
    this.#settings.meter.bytesOut += bytes;
    this.#timer.refresh();
  }

  /** Closes after the sent bytes. If the peer does not close too, the connection is dropped after a while. */
  #end(): void {
    this.#socket.end(() => this.#startTimer(() => this.#socket.destroy(), songLingerMs));
  }

  /** An unknown song: closes properly without data. Any other failure: resets, since it must not look like the end. */
  #fail(error: unknown, name: string): void {
    const failure = toWavecacheError(error);
    const { meter, log } = this.#settings;
    const fields = { address: this.#address, name, code: failure.code, error: failure };
    meter.failed(failure.code);
    if (emptyAnswers.has(failure.code) && !this.#isSending) {
      log.debug("a song was refused", fields);
      this.#end();
    } else {
      const isQuiet = isLastingFault(failure.code) || accessRefusals.has(failure.code);
      const write = isQuiet ? log.debug : log.error;
      write("sending a song failed", fields);
      this.cut();
    }
  }

  /** Closing a socket with unread bytes resets the connection and loses sent data, so surplus bytes are read. */
  #discard(surplus: Uint8Array): void {
    this.#surplusBytes += surplus.length;
    if (this.#surplusBytes > maxSongSurplusBytes)
      this.#giveUp("it sends more than a name", "", "MESSAGE_TOO_LARGE");
  }

  #giveUp(why: string, name = "", code: ErrorCode = "PEER_STALLED"): void {
    this.#settings.meter.failed(code);
    const fields = { address: this.#address, why, name };
    // Port scanners get this far, so a warning would flood the log.
    if (this.#hasRequest) this.#settings.log.warn("closing a connection", fields);
    else this.#settings.log.debug("closing a connection", fields);
    this.cut();
  }

  #startTimer(onTimeout: () => void, ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#socket.destroyed) this.#timer = setTimeout(onTimeout, ms);
  }
}

/** Of the client's certificate. The handshake has proved that the client has its key. */
function fingerprintOf(socket: TLSSocket): string | undefined {
  const { raw } = socket.getPeerCertificate();
  return raw === undefined ? undefined : certificateSha256(raw);
}

function readPiece(song: OpenSong, offset: number, into: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const length = Math.min(into.length, song.size - offset);
  return length > 0 ? song.read(offset, length, into) : Promise.resolve(new Uint8Array(0));
}
