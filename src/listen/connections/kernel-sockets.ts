/**
 * The TCP connections of this process as the kernel sees them. Bun reports a connection to a server only with its first
 * request, and a WebSocket message only when it is complete; the kernel also knows the connections that are silent, and
 * the bytes that have arrived.
 *
 * Only Linux has this view. Elsewhere the idle timeout of Bun alone closes silent connections.
 */
import { type Pointer, ptr } from "bun:ffi";
import { closeSync, openSync, readdirSync } from "node:fs";
import { loadCFunctions } from "../../base/system/c-library.ts";

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
  readonly #address = new NativeBuffer(128);
  readonly #info = new NativeBuffer(256);
  readonly #text = new NativeBuffer(64);
  readonly #length = new NativeBuffer(4);
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
      const receivedBytes = Number(this.#info.view.getBigUint64(bytesReceivedOffset, true));
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
    if (!this.#call(this.#system.getsockname, descriptor)) return undefined;
    const family = this.#address.bytes[0];
    return family === AF_INET || family === AF_INET6 ? this.#port() : undefined;
  }

  #peer(descriptor: number): string | undefined {
    if (!this.#call(this.#system.getpeername, descriptor)) return undefined;
    const { bytes } = this.#address;
    if (bytes[0] === AF_INET) return `${bytes[4]}.${bytes[5]}.${bytes[6]}.${bytes[7]} ${this.#port()}`;
    return peerKey({ address: this.#ipv6(), port: this.#port() });
  }

  /** Gets an address of a socket. */
  #call(get: System["getsockname"], descriptor: number): boolean {
    this.#length.view.setUint32(0, this.#address.bytes.length, true);
    return get(descriptor, this.#address.pointer, this.#length.pointer) === 0;
  }

  /** False for a connection that one side has ended: Bun closes it in a moment. */
  #readInfo(descriptor: number): boolean {
    const { getsockopt } = this.#system;
    this.#length.view.setUint32(0, this.#info.bytes.length, true);
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, this.#info.pointer, this.#length.pointer) !== 0)
      return false;
    if (this.#length.view.getUint32(0, true) < bytesReceivedOffset + 8) return false;
    return this.#info.bytes[stateOffset] === TCP_ESTABLISHED;
  }

  /** `sin_port` and `sin6_port` of `<netinet/in.h>`, in network byte order. */
  #port(): number {
    return this.#address.view.getUint16(2);
  }

  /** The library writes the address as Bun does. */
  #ipv6(): string {
    const { bytes, pointer } = this.#text;
    this.#system.inet_ntop(AF_INET6, ptr(this.#address.bytes, 8), pointer, bytes.length);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString("latin1");
  }
}

/** Memory for calls of the C library, which stays where it is: asking for its address each time takes longer than a call. */
class NativeBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly pointer: Pointer;

  constructor(length: number) {
    const memory = new ArrayBuffer(length);
    this.bytes = new Uint8Array(memory);
    this.view = new DataView(memory);
    this.pointer = ptr(memory);
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
