/**
 * The TCP connections of this process as the kernel sees them. Bun reports a connection to a server only with its first
 * request, and a WebSocket message only when it is complete; the kernel also knows the connections that are silent, and
 * the bytes that have arrived.
 *
 * Only Linux has this view. Elsewhere the idle timeout of Bun alone closes silent connections.
 */
import { ptr } from "bun:ffi";
import { closeSync, openSync, readdirSync } from "node:fs";
import { loadCFunctions } from "../../base/c-library.ts";

/** An accepted connection that neither side has ended. */
export interface KernelSocket {
  descriptor: number;
  localPort: number;
  /** Address and port of the peer, as `peerKey` writes them. */
  peer: string;
  /** Bytes that have arrived since the start, with the framing of TLS, whether the server has read them or not. */
  receivedBytes: number;
}

/** `<sys/socket.h>` and `<netinet/tcp.h>` of Linux. */
const AF_INET = 2;
const AF_INET6 = 10;
const SHUT_RDWR = 2;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_ESTABLISHED = 1;
/** `tcpi_state` and `tcpi_bytes_received` in `struct tcp_info`. */
const stateOffset = 0;
const bytesReceivedOffset = 128;

/** Names a connection by its peer; both notations of an IPv4 address are the same. */
export function peerKey({ address, port }: { address: string; port: number }): string {
  return `${address.startsWith("::ffff:") ? address.slice(7) : address} ${port}`;
}

export class KernelSockets {
  readonly #system: System;
  readonly #address = new Uint8Array(128);
  readonly #info = new Uint8Array(256);
  readonly #infoView = new DataView(this.#info.buffer);
  readonly #text = new Uint8Array(64);
  readonly #length = new Uint32Array(1);
  /** Given up for a moment to list the descriptors: that takes one even if all are in use. */
  #spare: number;

  private constructor(system: System) {
    this.#system = system;
    this.#spare = openSync("/dev/null", "r");
  }

  /** Undefined where the kernel cannot be asked. */
  static open(): KernelSockets | undefined {
    const system = process.platform === "linux" ? loadSystem() : undefined;
    return system && new KernelSockets(system);
  }

  /** The connections that were accepted on one of these ports; undefined if no descriptor is free to list them. */
  accepted(ports: ReadonlySet<number>): KernelSocket[] | undefined {
    const descriptors = this.#descriptors();
    if (descriptors === undefined) return undefined;
    const sockets: KernelSocket[] = [];
    for (const descriptor of descriptors) {
      const localPort = this.#localPort(descriptor);
      if (localPort === undefined || !ports.has(localPort)) continue;
      const peer = this.#peer(descriptor);
      if (peer === undefined || !this.#readInfo(descriptor)) continue;
      const receivedBytes = Number(this.#infoView.getBigUint64(bytesReceivedOffset, true));
      sockets.push({ descriptor, localPort, peer, receivedBytes });
    }
    return sockets;
  }

  /** Ends a connection, if its descriptor is still its own. Bun closes the descriptor when it sees the end. */
  shutDown({ descriptor, localPort, peer }: Pick<KernelSocket, "descriptor" | "localPort" | "peer">): void {
    if (this.#localPort(descriptor) !== localPort || this.#peer(descriptor) !== peer) return;
    this.#system.shutdown(descriptor, SHUT_RDWR);
  }

  close(): void {
    if (this.#spare >= 0) closeSync(this.#spare);
    this.#spare = -1;
  }

  #descriptors(): number[] | undefined {
    if (this.#spare >= 0) closeSync(this.#spare);
    this.#spare = -1;
    try {
      const names = readdirSync("/proc/self/fd");
      this.#spare = openSync("/dev/null", "r");
      return names.map(Number);
    } catch (error) {
      // Other threads took the last descriptor. The next call tries again.
      if (error instanceof Error) return undefined;
      throw error;
    }
  }

  #localPort(descriptor: number): number | undefined {
    this.#length[0] = this.#address.length;
    if (this.#system.getsockname(descriptor, ptr(this.#address), ptr(this.#length)) !== 0) return undefined;
    const family = this.#address[0];
    return family === AF_INET || family === AF_INET6 ? this.#port() : undefined;
  }

  #peer(descriptor: number): string | undefined {
    this.#length[0] = this.#address.length;
    if (this.#system.getpeername(descriptor, ptr(this.#address), ptr(this.#length)) !== 0) return undefined;
    const address = this.#address[0] === AF_INET ? this.#address.subarray(4, 8).join(".") : this.#ipv6();
    return peerKey({ address, port: this.#port() });
  }

  /** False for a connection that one side has ended: Bun closes it in a moment. */
  #readInfo(descriptor: number): boolean {
    this.#length[0] = this.#info.length;
    const { getsockopt } = this.#system;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, ptr(this.#info), ptr(this.#length)) !== 0) return false;
    if (this.#length[0]! < bytesReceivedOffset + 8) return false;
    return this.#info[stateOffset] === TCP_ESTABLISHED;
  }

  /** `sin_port` and `sin6_port` of `<netinet/in.h>`, in network byte order. */
  #port(): number {
    return (this.#address[2]! << 8) | this.#address[3]!;
  }

  /** The library writes the address as Bun does. */
  #ipv6(): string {
    const { inet_ntop } = this.#system;
    inet_ntop(AF_INET6, ptr(this.#address, 8), ptr(this.#text), this.#text.length);
    return Buffer.from(this.#text.subarray(0, this.#text.indexOf(0))).toString("latin1");
  }
}

type System = NonNullable<ReturnType<typeof loadSystem>>;

function loadSystem() {
  return loadCFunctions({
    getsockname: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    getpeername: { args: ["i32", "ptr", "ptr"], returns: "i32" },
    getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
    shutdown: { args: ["i32", "i32"], returns: "i32" },
    inet_ntop: { args: ["i32", "ptr", "ptr", "u32"], returns: "ptr" },
  });
}
