/** A way to a server that can be cut, or fall silent without a word to either side. */
import * as net from "node:net";

export class TcpProxy {
  readonly port: number;
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket>;
  readonly #state: { silent: boolean };

  static async open(target: number): Promise<TcpProxy> {
    const sockets = new Set<net.Socket>();
    const state = { silent: false };
    const server = net.createServer((near) => {
      const far = net.connect(target, "127.0.0.1");
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on("data", (bytes) => {
          if (!state.silent) to.write(bytes);
        });
        // A cut reaches both sides as what it is.
        from.on("error", () => to.destroy());
        from.on("close", () => {
          sockets.delete(from);
          if (!state.silent) to.destroy();
        });
      }
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    return new TcpProxy(server, sockets, state);
  }

  private constructor(server: net.Server, sockets: Set<net.Socket>, state: { silent: boolean }) {
    this.#server = server;
    this.#sockets = sockets;
    this.#state = state;
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** Destroys every connection through it, without a good-bye of what runs on them. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Takes what comes and passes nothing on, as when a network is gone. */
  fallSilent(): void {
    this.#state.silent = true;
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#server.close();
  }
}
