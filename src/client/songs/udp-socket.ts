/** A UDP socket connected to one address. */
import { createSocket } from "node:dgram";
import { systemCode } from "../../base/errors.ts";
import { ClientError } from "../errors.ts";
import { udpReceiveBufferBytes } from "../limits.ts";

/** A resolved address and port. */
export interface UdpAddress {
  address: string;
  family: 4 | 6;
  port: number;
}

export interface UdpListener {
  onDatagram(bytes: Uint8Array): void;
  /** UNREACHABLE: nothing listens there, or there is no route. */
  onError(error: ClientError): void;
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
    this.#socket.on("message", (bytes) => this.#listener?.onDatagram(bytes));
    this.#socket.on("error", (error) => this.#fail(error));
  }

  /** Sets the listener; datagrams without one are dropped. */
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
    this.#listener = { onDatagram() {}, onError: reject };
    try {
      this.#socket.connect(port, address, resolve);
      await promise;
      this.#enlargeBuffer();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A small buffer overflows: the reliable protocol then needs retransmissions, and the older one loses bytes. */
  #enlargeBuffer(): void {
    try {
      this.#socket.setRecvBufferSize(udpReceiveBufferBytes);
    } catch (error) {
      // A system that does not allow this size keeps its own.
      if (systemCode(error) !== "ERR_SOCKET_BUFFER_SIZE") throw error;
    }
  }

  #fail(error: Error): void {
    if (this.#isClosed) return;
    const { address, port, family } = this.#address;
    const at = `${family === 6 ? `[${address}]` : address}:${port}`;
    this.#listener?.onError(new ClientError("UNREACHABLE", `${at} (${systemCode(error) ?? error.message})`));
  }
}
