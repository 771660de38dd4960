/** A TCP proxy whose connections can be cut, half-closed or delayed, or stop forwarding without an event on either side. */
import * as net from "node:net";

interface State {
  target: number;
  silent: boolean;
  /** Bytes that the target may still send. */
  downstreamBytes: number;
  downstreamBytesPerMs: number;
  /** Both ways. */
  delayMs: number;
}

/** `near` is the socket of the client, `far` the one to the target. */
interface Connection {
  near: net.Socket;
  far: net.Socket;
}

export class TcpProxy {
  readonly port: number;
  readonly #server: net.Server;
  readonly #connections: Set<Connection>;
  readonly #state: State;

  static async open(target: number): Promise<TcpProxy> {
    const connections = new Set<Connection>();
    const state: State = {
      target,
      silent: false,
      downstreamBytes: Infinity,
      downstreamBytesPerMs: Infinity,
      delayMs: 0,
    };
    const server = net.createServer({ allowHalfOpen: true }, (near) => {
      const far = net.connect({ port: state.target, host: "127.0.0.1", allowHalfOpen: true });
      const connection = { near, far };
      connections.add(connection);
      forward(near, far, state);
      forward(far, near, state);
      far.on("data", (bytes) => holdBack(far, bytes.length, state));
      const forget = () => near.closed && far.closed && connections.delete(connection);
      near.on("close", forget);
      far.on("close", forget);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    server.listen(0, "127.0.0.1", resolve);
    await promise;
    return new TcpProxy(server, connections, state);
  }

  private constructor(server: net.Server, connections: Set<Connection>, state: State) {
    this.#server = server;
    this.#connections = connections;
    this.#state = state;
    this.port = (server.address() as net.AddressInfo).port;
  }

  /** Destroys every connection, without a goodbye of the protocol on it. */
  cut(): void {
    for (const { near, far } of this.#connections) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Ends one direction of every connection; the other one stays open. */
  halfClose(side: keyof Connection): void {
    for (const connection of this.#connections) connection[side].end();
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

  /** Forwards everything so much later. */
  delay(ms: number): void {
    this.#state.delayMs = ms;
  }

  /** Accepts and reads but forwards nothing, as after a network failure. */
  fallSilent(): void {
    this.#state.silent = true;
  }

  /** Works again. Connections that were silent have lost bytes, and are cut. */
  restore(): void {
    const wasSilent = this.#state.silent;
    Object.assign(this.#state, { silent: false, delayMs: 0 });
    if (wasSilent) this.cut();
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#server.close();
  }
}

function forward(from: net.Socket, to: net.Socket, state: State): void {
  const queue: (() => void)[] = [];
  /** In order, also after the delay has changed: each timer acts for the first that waits. */
  const later = (act: () => void): void => {
    if (state.delayMs === 0 && queue.length === 0) return act();
    queue.push(act);
    setTimeout(() => queue.shift()?.(), state.delayMs);
  };
  from.on("data", (bytes) => {
    if (!state.silent) later(() => void (to.writable && to.write(bytes)));
  });
  from.on("end", () => {
    if (!state.silent) later(() => to.end());
  });
  // Forward the end of each side: a cut must look like a cut.
  from.on("error", () => to.destroy());
  from.on("close", () => {
    if (!state.silent) later(() => to.destroy());
  });
}

function holdBack(far: net.Socket, bytes: number, state: State): void {
  state.downstreamBytes -= bytes;
  if (state.downstreamBytes <= 0) far.pause();
  else if (state.downstreamBytesPerMs < Infinity) {
    far.pause();
    setTimeout(() => far.resume(), bytes / state.downstreamBytesPerMs);
  }
}
