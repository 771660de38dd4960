/**
 * Songs by name over TLS, on a port of its own. Connections are limited in number, in total and per address, and each in
 * time and memory. A new certificate applies to new connections; open ones continue.
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
import { authorityOf } from "../../listen/authority.ts";
import { type KeyPair, tlsContext } from "../../listen/tls-context.ts";
import { type SongTlsSettings, SongTlsSession } from "./session.ts";

/** The current certificate, in PEM, and its replacements. */
export interface CertificateSource {
  readonly current: KeyPair;
  onChange(listener: (certificate: KeyPair) => void): () => void;
}

export interface SongsTlsSettings extends Pick<SongTlsSettings, "songs" | "meter" | "log"> {
  host: string;
  /** 0 picks a free port. */
  port: number;
  certificates: CertificateSource;
  /** Lower limits, for tests. */
  limits?: Partial<GatewayLimits>;
}

interface GatewayLimits extends Pick<SongTlsSettings, "nameTimeoutMs" | "stallTimeoutMs"> {
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
  readonly #sessions = new Set<SongTlsSession>();
  /** Open connections per address. */
  readonly #addresses = new Map<string, number>();
  readonly #stopRenewal: () => void;
  #isClosing = false;

  private constructor(settings: SongsTlsSettings) {
    this.#settings = settings;
    this.#limits = { ...defaultLimits, ...settings.limits };
    this.#server = createServer({
      ...tlsContext(settings.certificates.current),
      allowHalfOpen: true,
      noDelay: true,
    });
    // Bun passes the TLS socket before its handshake, so a peer that never completes one counts against the limits too.
    this.#server.on("connection", (socket) => this.#accept(socket));
    this.#stopRenewal = settings.certificates.onChange((certificate) =>
      this.#server.setSecureContext(tlsContext(certificate)),
    );
  }

  /** Opens the port; rejects if it cannot be bound. */
  static async open(settings: SongsTlsSettings): Promise<SongsTlsGateway> {
    const gateway = new SongsTlsGateway(settings);
    await gateway.#listen();
    return gateway;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** As a URL. */
  get address(): string {
    return `tls://${authorityOf(this.#settings.host, this.port)}`;
  }

  /** Cuts every connection and closes the port. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#stopRenewal();
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
      this.#stopRenewal();
      throw error;
    });
  }

  #accept(socket: Socket): void {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#addresses.get(address) ?? 0;
    const { connections, connectionsPerAddress } = this.#limits;
    if (this.#isClosing || this.#sessions.size >= connections || ofAddress >= connectionsPerAddress) {
      this.#refuse(socket, address);
      return;
    }
    const session = new SongTlsSession(socket, address, { ...this.#settings, ...this.#limits });
    this.#sessions.add(session);
    this.#addresses.set(address, ofAddress + 1);
    this.#settings.meter.opened();
    socket.once("close", () => this.#closed(session, address));
  }

  #refuse(socket: Socket, address: string): void {
    const { code } = new WavecacheError(this.#isClosing ? "SHUTTING_DOWN" : "CONNECTIONS_EXHAUSTED");
    this.#settings.meter.failed(code);
    this.#settings.log.debug("a connection was refused", { address, code });
    socket.on("error", (error) =>
      this.#settings.log.debug("a refused connection failed", { address, error }),
    );
    socket.destroy();
  }

  #closed(session: SongTlsSession, address: string): void {
    this.#sessions.delete(session);
    this.#settings.meter.closed();
    const remaining = this.#addresses.get(address)! - 1;
    if (remaining === 0) this.#addresses.delete(address);
    else this.#addresses.set(address, remaining);
  }
}
