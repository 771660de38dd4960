/**
 * A bad network between UDP clients and a local server: it loses, duplicates and reorders datagrams in both directions,
 * and changes the addresses that the server sees, as a NAT does that forgets its mappings. It uses a seeded generator, so that its seed reproduces a failure.
 */
import type { udp } from "bun";
import { Random } from "./bytes.ts";

export interface BadNetwork {
  /** Percent of datagrams that are lost. */
  loss: number;
  repeat: number;
  /** Percent that are delayed until `reorderBy` others have passed, or briefly if no others follow. */
  reorder: number;
  seed: number;
}

const reorderBy = 5;
const keptBackMs = 15;

type Send = () => void;

export class LossyUdp implements AsyncDisposable {
  readonly #network: BadNetwork;
  readonly #serverPort: number;
  readonly #random: Random;
  /** The upstream socket of each client. */
  readonly #lines = new Map<number, Promise<udp.Socket<"uint8array">>>();
  readonly #kept: { send: Send; after: number }[] = [];
  #passed = 0;
  #address = "127.0.0.1";
  #front: udp.Socket<"uint8array"> | undefined;
  #isClosed = false;
  /** Datagrams from both sides, and how many of them were lost. */
  datagrams = 0;
  lost = 0;

  static async open(serverPort: number, network: BadNetwork): Promise<LossyUdp> {
    const proxy = new LossyUdp(serverPort, network);
    proxy.#front = await socketWith((datagram, port) => void proxy.#fromClient(datagram, port));
    return proxy;
  }

  private constructor(serverPort: number, network: BadNetwork) {
    this.#serverPort = serverPort;
    this.#network = network;
    this.#random = new Random(network.seed);
  }

  /** The address for clients, at 127.0.0.1. */
  get port(): number {
    return this.#front!.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#front!.close();
    for (const line of this.#lines.values()) (await line).close();
  }

  /** From now on the server sees all clients at new ports of this loopback address. The old ports are closed. */
  async rebind(address: string): Promise<void> {
    this.#address = address;
    const lines = [...this.#lines.values()];
    this.#lines.clear();
    for (const line of lines) (await line).close();
  }

  async #fromClient(datagram: Uint8Array, client: number): Promise<void> {
    let line = this.#lines.get(client);
    if (line === undefined) {
      line = socketWith((answer) => this.#pass(answer, this.#front!, client), this.#address);
      this.#lines.set(client, line);
    }
    this.#pass(datagram, await line, this.#serverPort);
  }

  #pass(datagram: Uint8Array, by: udp.Socket<"uint8array">, to: number): void {
    const { loss, repeat, reorder } = this.#network;
    this.datagrams += 1;
    this.#passed += 1;
    const send: Send = () => this.#send(datagram, by, to);
    if (this.#random.chance(loss)) this.lost += 1;
    else if (this.#random.chance(reorder)) this.#keepBack(send);
    else {
      send();
      if (this.#random.chance(repeat)) send();
    }
    while ((this.#kept[0]?.after ?? Infinity) <= this.#passed) this.#kept.shift()!.send();
  }

  #keepBack(send: Send): void {
    const entry = { send, after: this.#passed + reorderBy };
    this.#kept.push(entry);
    setTimeout(() => {
      const at = this.#kept.indexOf(entry);
      if (at === -1) return;
      this.#kept.splice(at, 1);
      send();
    }, keptBackMs);
  }

  #send(datagram: Uint8Array, by: udp.Socket<"uint8array">, to: number): void {
    if (this.#isClosed) return;
    try {
      by.send(datagram, to, "127.0.0.1");
    } catch {
      // ICMP reports of a peer that is gone fail the next call on the socket; the network just loses those datagrams.
      this.lost += 1;
    }
  }
}

function socketWith(
  data: (datagram: Uint8Array, port: number) => void,
  hostname = "127.0.0.1",
): Promise<udp.Socket<"uint8array">> {
  return Bun.udpSocket({
    hostname,
    binaryType: "uint8array",
    socket: { data: (_socket, datagram, port) => data(datagram, port), error() {} },
  });
}
