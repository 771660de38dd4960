/**
 * Songs by name over TLS: a port of its own, with many connections, each bounded in number, time and memory. A new
 * certificate holds for the connections that come after it; those that are open go on.
 */
import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import { WavecacheError } from "../../base/errors.ts";
import {
  maxSongTlsConnections,
  maxSongTlsConnectionsPerAddress,
  songNameTimeoutMs,
  songStallTimeoutMs,
} from "../../base/limits/songs.ts";
import { type SessionSettings, SongSession } from "./session.ts";

/** The certificate to show, in PEM, and each that takes its place. */
export interface CertificateSource {
  readonly current: KeyPair;
  onChange(listener: (certificate: KeyPair) => void): () => void;
}

interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface SongsTlsSettings extends Pick<SessionSettings, "songs" | "meter" | "log"> {
  host: string;
  /** 0 takes a free one. */
  port: number;
  certificates: CertificateSource;
  /** For tests that do not want to wait, or to open that many connections. */
  limits?: Partial<GatewayLimits>;
}

interface GatewayLimits extends Pick<SessionSettings, "nameTimeoutMs" | "stallTimeoutMs"> {
  connections: number;
  connectionsPerAddress: number;
}

const defaultLimits: GatewayLimits = {
  nameTimeoutMs: songNameTimeoutMs,
  stallTimeoutMs: songStallTimeoutMs,
  connections: maxSongTlsConnections,
  connectionsPerAddress: maxSongTlsConnectionsPerAddress,
};

export class SongsTlsGateway {
  readonly #settings: SongsTlsSettings;
  readonly #limits: GatewayLimits;
  readonly #server: Server;
  readonly #sessions = new Set<SongSession>();
  /** Connections of each address that has any. */
  readonly #addresses = new Map<string, number>();
  readonly #stopFollowing: () => void;
  #closing = false;

  private constructor(settings: SongsTlsSettings) {
    this.#settings = settings;
    this.#limits = { ...defaultLimits, ...settings.limits };
    this.#server = createServer({
      ...secureContext(settings.certificates.current),
      allowHalfOpen: true,
      noDelay: true,
    });
    // Under Bun this is the encrypted socket, before its handshake: whoever never gets that far is counted too.
    this.#server.on("connection", (socket) => this.#accept(socket));
    this.#stopFollowing = settings.certificates.onChange((certificate) =>
      this.#server.setSecureContext(secureContext(certificate)),
    );
  }

  /** Listens; rejects if the port is taken. */
  static async open(settings: SongsTlsSettings): Promise<SongsTlsGateway> {
    const door = new SongsTlsGateway(settings);
    await door.#listen();
    return door;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Cuts what is under way and frees the port. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#stopFollowing();
    for (const session of this.#sessions) session.cut();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #listen(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(this.#settings.port, this.#settings.host, () => {
      this.#server.off("error", reject);
      this.#server.on("error", (error) => this.#settings.log.error("the TLS port failed", { error }));
      resolve();
    });
    return promise.catch((error: unknown) => {
      this.#stopFollowing();
      throw error;
    });
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#addresses.get(address) ?? 0;
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#closing || this.#sessions.size >= connections || ofAddress >= connectionsPerAddress) {
      this.#refuse(socket, address);
      return;
    }
    const session = new SongSession(socket, address, { ...this.#settings, ...this.#limits });
    this.#sessions.add(session);
    this.#addresses.set(address, ofAddress + 1);
    this.#settings.meter.opened();
    socket.once("close", () => this.#closed(session, address));
  }

  #refuse(socket: Socket, address: string): void {
    const { code } = new WavecacheError(this.#closing ? "SHUTTING_DOWN" : "CONNECTIONS_EXHAUSTED");
    this.#settings.meter.failed(code);
    this.#settings.log.debug("a connection was refused", { address, code });
    socket.on("error", (error) => this.#settings.log.debug("a refused connection broke", { address, error }));
    socket.destroy();
  }

  #closed(session: SongSession, address: string): void {
    this.#sessions.delete(session);
    this.#settings.meter.closed();
    const rest = this.#addresses.get(address)! - 1;
    if (rest === 0) this.#addresses.delete(address);
    else this.#addresses.set(address, rest);
  }
}

function secureContext({ cert, key }: KeyPair) {
  return { cert, key, minVersion: "TLSv1.2" } as const;
}
