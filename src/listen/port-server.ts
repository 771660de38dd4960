/**
 * The server of one port, plain or with TLS. Bun's servers keep the certificate that they began with, so a new one
 * means a new server on the same port: both listen for a moment, then the old one only goes on with the requests and
 * WebSockets that it has. A client that connects in just that moment may have to connect again.
 */
import type { Server } from "bun";
import type { Log } from "../base/log.ts";
import type { Certificates } from "./certificates.ts";

type Certificate = Certificates["current"];

export interface PortSettings<Data> {
  /** 0 takes a free one. */
  port: number;
  /** Undefined: without TLS. */
  certificates: Pick<Certificates, "current" | "onChange"> | undefined;
  /** Starts a server that differs from others of this port in this alone. */
  open(options: OpenOptions): Server<Data>;
  log: Log;
}

export interface OpenOptions {
  port: number;
  tls: Pick<Certificate, "cert" | "key"> | undefined;
  reusePort: boolean;
}

/** Windows lets no second server listen on a port. */
const canReplace = process.platform !== "win32";

export class PortServer<Data> {
  readonly #settings: PortSettings<Data>;
  readonly #stopFollowing: (() => void) | undefined;
  #current: Server<Data>;
  /** Servers of former certificates that have connections yet. */
  readonly #former = new Set<Server<Data>>();

  constructor(settings: PortSettings<Data>) {
    this.#settings = settings;
    const { port, certificates } = settings;
    if (certificates !== undefined && port !== 0) this.#refuseSharing();
    this.#current = this.#open(port, certificates?.current);
    this.#stopFollowing = certificates?.onChange((certificate) => this.#replace(certificate));
  }

  get port(): number {
    return this.#current.port!;
  }

  /** Ends all connections and frees the port. */
  async stop(): Promise<void> {
    this.#stopFollowing?.();
    await Promise.all([this.#current, ...this.#former].map((server) => server.stop(true)));
  }

  /** Two programs that both share a port would get connections in turn: one that is taken is to be an error. */
  #refuseSharing(): void {
    void this.#settings.open({ port: this.#settings.port, tls: undefined, reusePort: false }).stop(true);
  }

  #open(port: number, certificate: Certificate | undefined): Server<Data> {
    const tls = certificate && { cert: certificate.cert, key: certificate.key };
    const reusePort = tls !== undefined && canReplace;
    return this.#settings.open({ port, tls, reusePort });
  }

  #replace(certificate: Certificate): void {
    const { log } = this.#settings;
    const { port } = this;
    if (!canReplace) {
      log.warn("the port keeps its old certificate until the server is started again", { port });
      return;
    }
    try {
      const former = this.#current;
      this.#current = this.#open(port, certificate);
      this.#former.add(former);
      void former.stop(false).then(() => this.#former.delete(former));
    } catch (error) {
      log.error("the port keeps its old certificate; a restart would take the new one", { port, error });
    }
  }
}
