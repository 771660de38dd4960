/** A UDP client without a protocol: the test writes the bytes. */
import type { udp } from "bun";

export class RawUdp implements Disposable {
  /** Datagrams in order of arrival. */
  readonly received: Uint8Array[] = [];
  #socket: udp.ConnectedSocket<"uint8array"> | undefined;

  /** `address` is the client's own: any loopback address. */
  static async open(port: number, address = "127.0.0.1"): Promise<RawUdp> {
    const client = new RawUdp();
    client.#socket = await Bun.udpSocket({
      hostname: address,
      connect: { hostname: "127.0.0.1", port },
      binaryType: "uint8array",
      socket: { data: (_socket, datagram) => void client.received.push(datagram), error() {} },
    });
    return client;
  }

  send(datagram: Uint8Array | string): void {
    this.#socket!.send(datagram);
  }

  get receivedBytes(): number {
    return this.received.reduce((sum, { length }) => sum + length, 0);
  }

  close(): void {
    this.#socket!.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
