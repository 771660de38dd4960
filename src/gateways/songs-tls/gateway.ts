/**
 * Songs by name over TLS, on a port of its own. Connections are limited in number, in total and per address, and each in
 * time and memory. A new certificate applies to new connections; open ones continue.
 */
import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server } from "node:tls";
import {
  maxSongTlsConnections,
  maxSongTlsConnectionsPerAddress,
  songNameTimeoutMs,
  songStallTimeoutMs,
} from "../../base/limits/songs.ts";
import { authorityOf } from "../../listen/authority.ts";
import { type KeyPair, tlsContext } from "../../listen/tls/context.ts";
import { admitSocket } from "../../listen/connections/admit-socket.ts";
import { ConnectionLimit } from "../../listen/connections/connection-limit.ts";
import { type SongTlsSettings, SongTlsSession } from "./session.ts";

/** The current certificate, in PEM, and its replacements. */
export interface CertificateSource {
  readonly current: KeyPair;
  onChange(listener: (certificate: KeyPair) => void): () => void;
}

export interface SongsTlsSettings extends Pick<SongTlsSettings, "songs" | "access" | "meter" | "log"> {
  host: string;
  /** 0 picks a free port. */
  port: number;
  certificates: CertificateSource;
  /** Of the server; this port has a lower one besides. */
  limit: ConnectionLimit;
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
  readonly #limit: ConnectionLimit;
  readonly #stopRenewal: () => void;
  #isClosing = false;

  private constructor(settings: SongsTlsSettings) {
    this.#settings = settings;
    this.#limits = { ...defaultLimits, ...settings.limits };
    const { connections: max, connectionsPerAddress: maxPerAddress } = this.#limits;
    this.#limit = new ConnectionLimit({ max, maxPerAddress, limitsLoopback: true });
    this.#server = createServer({
      ...tlsContext(settings.certificates.current),
      allowHalfOpen: true,
      // Tokens vouch for certificates, not authorities.
      requestCert: true,
      rejectUnauthorized: false,
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
    this.#limit.close();
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
      this.#limit.close();
      throw error;
    });
  }

  #accept(socket: Socket): void {
    const { meter, log, limit } = this.#settings;
    if (this.#isClosing) {
      meter.failed("SHUTTING_DOWN");
      socket.destroy();
      return;
    }
    // The address of a closed socket is unknown.
    const address = socket.remoteAddress ?? "";
    const slot = admitSocket(socket, { limits: [this.#limit, limit], meter, log });
    if (slot === undefined) return;
    const settings = { ...this.#settings, ...this.#limits, onRequest: () => slot.spoke() };
    const session = new SongTlsSession(socket, address, settings);
    this.#sessions.add(session);
    meter.opened();
    socket.once("close", () => {
      this.#sessions.delete(session);
      meter.closed();
    });
  }
}
