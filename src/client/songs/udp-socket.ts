/** A UDP socket that talks to one address. */
import { createSocket } from "node:dgram";
import { systemCode } from "../../base/errors.ts";
import { ClientError } from "../errors.ts";
import { udpReceiveBufferBytes } from "../limits.ts";

/** An address and a port, as they go to the system. */
export interface UdpAddress {
  address: string;
  family: 4 | 6;
  port: number;
}

export interface UdpListener {
  datagram(bytes: Uint8Array): void;
  /** UNREACHABLE: nobody is there, or no way leads there. */
  failed(error: ClientError): void;
}

export class UdpSocket {
  readonly #socket;
  readonly #address: UdpAddress;
  #listener: UdpListener | undefined;
  #isClosed = false;

  static async connect(address: UdpAddress): Promise<UdpSocket> {
    const socket = new UdpSocket(address);
    await socket.#connect();
    return socket;
  }

  private constructor(address: UdpAddress) {
    this.#address = address;
    this.#socket = createSocket(address.family === 4 ? "udp4" : "udp6");
    this.#socket.on("message", (bytes) => this.#listener?.datagram(bytes));
    this.#socket.on("error", (error) => this.#fail(error));
  }

  /** Whoever gets what comes from now on. */
  listen(listener: UdpListener | undefined): void {
    this.#listener = listener;
  }

  send(datagram: Uint8Array): void {
    if (!this.#isClosed) this.#socket.send(datagram, (error) => error && this.#fail(error));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener = undefined;
    this.#socket.close();
  }

  async #connect(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { address, port } = this.#address;
    this.#listener = { datagram() {}, failed: reject };
    try {
      this.#socket.connect(port, address, resolve);
      await promise;
      this.#enlarge();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A smaller buffer costs time with the reliable protocol, and bytes with the old one. */
  #enlarge(): void {
    try {
      this.#socket.setRecvBufferSize(udpReceiveBufferBytes);
    } catch (error) {
      // A system that allows less than this keeps what it has.
      if (systemCode(error) !== "ERR_SOCKET_BUFFER_SIZE") throw error;
    }
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    const { address, port, family } = this.#address;
    const at = `${family === 6 ? `[${address}]` : address}:${port}`;
    this.#listener?.failed(new ClientError("UNREACHABLE", `${at} (${systemCode(error) ?? error.message})`));
  }
}
