/** A client of songs over TLS: sends a name and reads to the end. It accepts any certificate and exposes it. */
import { connect, type TLSSocket } from "node:tls";
import { within } from "../until.ts";

const connectLimitMs = 10_000;
const songLimitMs = 30_000;

export interface Heard {
  bytes: Buffer;
  /** What broke the connection, such as ECONNRESET; undefined if it ended properly. */
  failure: string | undefined;
}

export interface SongPeerOptions {
  maxVersion?: "TLSv1.1" | "TLSv1.2";
  /** Certificate and key of the client, in PEM. */
  cert?: string;
  key?: string;
}

export class SongPeer {
  readonly socket: TLSSocket;
  /** Everything received, once the connection has ended. */
  readonly heard: Promise<Heard>;
  receivedBytes = 0;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    const pieces: Buffer[] = [];
    let failure: string | undefined;
    socket.on("data", (piece: Buffer) => {
      this.receivedBytes += piece.length;
      pieces.push(piece);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => (failure = error.code ?? error.message));
    this.heard = new Promise((resolve) =>
      socket.once("close", () => resolve({ bytes: Buffer.concat(pieces), failure })),
    );
  }

  /** Resolves after the handshake; rejects if it fails. */
  static async open(port: number, versions: SongPeerOptions = {}): Promise<SongPeer> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const old = versions.maxVersion === "TLSv1.1" ? { minVersion: "TLSv1" as const } : {};
    const options = { host: "127.0.0.1", port, rejectUnauthorized: false, ...old, ...versions };
    const peer = new SongPeer(connect(options, resolve));
    peer.socket.once("error", reject);
    await within("a TLS connection", connectLimitMs, promise);
    return peer;
  }

  /** SHA-256 of the server's certificate. */
  get fingerprint(): string {
    return this.socket.getPeerCertificate().fingerprint256;
  }

  ask(name: string | Uint8Array): void {
    this.socket.write(name);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Everything received for a name. */
export async function fetchSong(
  port: number,
  name: string | Uint8Array,
  options: SongPeerOptions = {},
): Promise<Heard> {
  using peer = await SongPeer.open(port, options);
  peer.ask(name);
  return await within("the song", songLimitMs, peer.heard, () => `received ${peer.receivedBytes} bytes`);
}
