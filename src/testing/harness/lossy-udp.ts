/**
 * A bad network between UDP clients and a server on this machine: it loses, repeats and reorders datagrams both ways, by
 * a seeded generator, so that a failure can be had again with its seed.
 */
import type { udp } from "bun";
import { Random } from "./bytes.ts";

export interface BadNetwork {
  /** Of 100 datagrams. */
  loss: number;
  repeat: number;
  /** Of 100 too; each of these is kept back until `reorderBy` others have passed, or for a moment where none do. */
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
  /** A socket to the server for each client. */
  readonly #lines = new Map<number, Promise<udp.Socket<"uint8array">>>();
  readonly #kept: { send: Send; after: number }[] = [];
  #passed = 0;
  #front: udp.Socket<"uint8array"> | undefined;
  #isClosed = false;
  /** Datagrams that came from either side, and those that were lost. */
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

  /** Where clients send to, at 127.0.0.1. */
  get port(): number {
    return this.#front!.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#front!.close();
    for (const line of this.#lines.values()) (await line).close();
  }

  async #fromClient(datagram: Uint8Array, client: number): Promise<void> {
    let line = this.#lines.get(client);
    if (line === undefined) {
      line = socketWith((answer) => this.#pass(answer, this.#front!, client));
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
      // The network loses what is sent to somebody who has just gone, and what is next on that socket.
      this.lost += 1;
    }
  }
}

function socketWith(data: (datagram: Uint8Array, port: number) => void): Promise<udp.Socket<"uint8array">> {
  return Bun.udpSocket({
    hostname: "127.0.0.1",
    binaryType: "uint8array",
    socket: { data: (_socket, datagram, port) => data(datagram, port), error() {} },
  });
}
