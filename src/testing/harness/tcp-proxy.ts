/** A TCP proxy whose connections can be cut, or stop forwarding without an event on either side. */
import * as net from "node:net";

interface State {
  target: number;
  silent: boolean;
  /** Bytes that the target may still send. */
  downstreamBytes: number;
  downstreamBytesPerMs: number;
}

export class TcpProxy {
  readonly port: number;
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket>;
  readonly #state: State;

  static async open(target: number): Promise<TcpProxy> {
    const sockets = new Set<net.Socket>();
    const state: State = { target, silent: false, downstreamBytes: Infinity, downstreamBytesPerMs: Infinity };
    const server = net.createServer((near) => {
      const far = net.connect(state.target, "127.0.0.1");
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on("data", (bytes) => {
          if (!state.silent) to.write(bytes);
          if (from === far) state.downstreamBytes -= bytes.length;
          if (from === far && state.downstreamBytes <= 0) from.pause();
          else if (from === far && state.downstreamBytesPerMs < Infinity) {
            from.pause();
            setTimeout(() => from.resume(), bytes.length / state.downstreamBytesPerMs);
          }
        });
        // Forward the end of each side: a cut must look like a cut.
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

  private constructor(server: net.Server, sockets: Set<net.Socket>, state: State) {
    this.#server = server;
    this.#sockets = sockets;
    this.#state = state;
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** Destroys every connection, without a goodbye of the protocol on it. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** New connections go to this port: a server that was started again has another one. */
  forwardTo(port: number): void {
    this.#state.target = port;
  }

  /** Holds back what the target sends after about so many bytes. */
  limitDownstream(bytes: number): void {
    this.#state.downstreamBytes = bytes;
  }

  /** Forwards what the target sends at about this speed. */
  slowDownstream(bytesPerMs: number): void {
    this.#state.downstreamBytesPerMs = bytesPerMs;
  }

  /** Reads but forwards nothing, as after a network failure. */
  fallSilent(): void {
    this.#state.silent = true;
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#server.close();
  }
}
