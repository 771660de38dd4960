/**
 * The TCP or TLS port of the device gateway. grpc-js would accept every connection by itself; here each one takes a place
 * within the connection limits first.
 */
import { ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { tlsContext } from "../../listen/tls/context.ts";
import { admitSocket, type SocketAdmission, type SocketSlot } from "../../listen/connections/admit-socket.ts";

/** In PEM. */
export interface ServerCertificate {
  cert: string;
  key: string;
}

/** The certificates that all TLS ports share. */
export interface CertificateSource {
  readonly current: ServerCertificate;
  /** Returns a function that removes the listener. */
  onChange(listener: (certificate: ServerCertificate) => void): () => void;
}

export interface DevicePortSettings {
  host: string;
  /** Undefined disables TLS. A new certificate applies to new connections. */
  certificates: CertificateSource | undefined;
  admission: SocketAdmission;
}

/** Takes over a connection that has a place. */
type OnConnection = (socket: Socket) => void;

export class DevicePort {
  readonly #host: string;
  readonly #server: Server;
  readonly #stopRenewal: () => void;
  readonly #admission: SocketAdmission;
  /** By address and port of the peer, as grpc-js writes them. */
  readonly #slots = new Map<string, SocketSlot>();

  constructor({ host, certificates, admission }: DevicePortSettings, onConnection: OnConnection) {
    this.#host = host;
    this.#admission = admission;
    if (certificates === undefined) {
      this.#server = createServer((socket) => {
        if (this.#admit(socket)) onConnection(socket);
      });
      this.#stopRenewal = () => undefined;
      return;
    }
    const server = createTlsServer({ ...tlsContext(certificates.current), ALPNProtocols: ["h2"] });
    // Bun passes the TLS socket before its handshake, so a peer that never completes one counts too.
    server.on("connection", (socket) => void this.#admit(socket));
    server.on("secureConnection", onConnection);
    this.#server = server;
    this.#stopRenewal = certificates.onChange((next) => server.setSecureContext(tlsContext(next)));
  }

  /** A connection with a call is not silent. */
  readonly interceptor: ServerInterceptor = (_method, call) => {
    this.#slots.get(call.getPeer())?.spoke();
    return new ServerInterceptingCall(call);
  };

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(port, this.#host, resolve);
    await promise;
    this.#server.off("error", reject);
    this.#server.on("error", (error) => this.#admission.log.error("the gRPC port failed", { error }));
  }

  /** Accepts no more connections. */
  close(): void {
    this.#stopRenewal();
    this.#server.close();
  }

  /** False if the connection has no place, and is ended. */
  #admit(socket: Socket): boolean {
    const slot = admitSocket(socket, this.#admission);
    if (slot === undefined) return false;
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#slots.set(peer, slot);
    socket.once("close", () => {
      if (this.#slots.get(peer) === slot) this.#slots.delete(peer);
    });
    return true;
  }
}
