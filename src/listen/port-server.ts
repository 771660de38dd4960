/**
 * The server of one port, with or without TLS. A Bun server cannot change its certificate, so a new certificate needs a
 * new server on the same port. For a moment both listen; then the old server only finishes its requests and WebSockets.
 * A client that connects in that moment may have to connect again.
 */
import type { Server } from "bun";
import type { Log } from "../base/log/log.ts";
import type { Certificates } from "./tls/certificates.ts";
import { type TlsContext, tlsContext } from "./tls/context.ts";

type Certificate = Certificates["current"];

export interface PortSettings<Data> {
  /** 0 picks a free one. */
  port: number;
  /** Undefined for a port without TLS. */
  certificates: Pick<Certificates, "current" | "onChange"> | undefined;
  /** Starts a server. The servers of a port differ in these options alone. */
  open(options: OpenOptions): Server<Data>;
  log: Log;
}

export interface OpenOptions {
  port: number;
  tls: TlsContext | undefined;
  reusePort: boolean;
}

/** Windows does not let two servers listen on a port. */
const canReplace = process.platform !== "win32";

export class PortServer<Data> {
  readonly #settings: PortSettings<Data>;
  readonly #stopFollowing: (() => void) | undefined;
  #current: Server<Data>;
  /** Servers with earlier certificates that still have connections. */
  readonly #former = new Set<Server<Data>>();

  constructor(settings: PortSettings<Data>) {
    this.#settings = settings;
    const { port, certificates } = settings;
    if (certificates !== undefined && port !== 0) this.#refuseTakenPort();
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

  /** Throws if another program listens on the port. With `reusePort` both would silently share its connections. */
  #refuseTakenPort(): void {
    void this.#settings.open({ port: this.#settings.port, tls: undefined, reusePort: false }).stop(true);
  }

  #open(port: number, certificate: Certificate | undefined): Server<Data> {
    const tls = certificate && tlsContext(certificate);
    const reusePort = tls !== undefined && canReplace;
    return this.#settings.open({ port, tls, reusePort });
  }

  #replace(certificate: Certificate): void {
    const { log } = this.#settings;
    const { port } = this;
    if (!canReplace) {
      log.warn("the port keeps its old certificate until the server restarts", { port });
      return;
    }
    try {
      const former = this.#current;
      this.#current = this.#open(port, certificate);
      this.#former.add(former);
      void former.stop(false).then(() => this.#former.delete(former));
    } catch (error) {
      log.error("the port keeps its old certificate until the server restarts", { port, error });
    }
  }
}
