/**
 * A server of the older UDP protocol, as foreign as they come: anything that cannot be the name of a file ends it for all
 * clients, as an exception that nobody catches ends a program. It shares no code with the server.
 */
import type { udp } from "bun";

export interface OldSongServerBehaviour {
  /** The answer to an unknown name. */
  unknown?: "empty" | "text" | "nothing";
  /** Datagrams of a song, by their number, that are lost. */
  lost?: readonly number[];
  /** False loses the datagram that ends a song. */
  ends?: boolean;
  /** Ignores this many requests first. */
  ignored?: number;
}

const datagramBytes = 1024;
/** The maximum of a file name in common file systems. */
const maxNameBytes = 255;

export class OldSongServer implements Disposable {
  /** All requests in order, as text. */
  readonly requests: string[] = [];
  /** The request that ended the server. */
  fatal: Uint8Array | undefined;
  readonly #songs: ReadonlyMap<string, Uint8Array>;
  readonly #behaviour: OldSongServerBehaviour;
  #socket: udp.Socket<"uint8array"> | undefined;
  #isClosed = false;

  static async start(
    songs: ReadonlyMap<string, Uint8Array>,
    behaviour: OldSongServerBehaviour = {},
  ): Promise<OldSongServer> {
    const server = new OldSongServer(songs, behaviour);
    server.#socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      binaryType: "uint8array",
      socket: {
        data: (_socket, request, port, address) =>
          server.#receive(request, (datagram) => void server.#socket!.send(datagram, port, address)),
        error() {},
      },
    });
    return server;
  }

  private constructor(songs: ReadonlyMap<string, Uint8Array>, behaviour: OldSongServerBehaviour) {
    this.#songs = songs;
    this.#behaviour = behaviour;
  }

  get port(): number {
    return this.#socket!.port;
  }

  [Symbol.dispose](): void {
    if (!this.#isClosed) this.#socket!.close();
    this.#isClosed = true;
  }

  #receive(request: Uint8Array, send: (datagram: Uint8Array) => void): void {
    if (this.#isClosed) return;
    const name = fileName(request);
    if (name === undefined) {
      this.fatal ??= request;
      return this[Symbol.dispose]();
    }
    this.requests.push(name);
    if (this.requests.length <= (this.#behaviour.ignored ?? 0)) return;
    const song = this.#songs.get(name);
    if (song !== undefined) this.#sendSong(song, send);
    else if (this.#behaviour.unknown === "text") send(Buffer.from("File not found"));
    else if (this.#behaviour.unknown !== "nothing") send(new Uint8Array(0));
  }

  #sendSong(song: Uint8Array, send: (datagram: Uint8Array) => void): void {
    const { lost = [], ends = true } = this.#behaviour;
    for (let at = 0; at <= song.length; at += datagramBytes) {
      const part = song.subarray(at, at + datagramBytes);
      const isEnd = part.length < datagramBytes;
      if (!lost.includes(at / datagramBytes) && (ends || !isEnd)) send(part);
    }
  }
}

/** Undefined if no file can have this name. */
function fileName(request: Uint8Array): string | undefined {
  const name = Buffer.from(request).toString();
  const isText = Buffer.from(name).equals(request) && !/[\p{Cc}\uFFFD]/u.test(name);
  const isName = name.split("/").every((part) => Buffer.byteLength(part) <= maxNameBytes);
  return isText && isName && request.length > 0 ? name : undefined;
}
