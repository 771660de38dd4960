/**
 * Threads that accept connections beside the main thread, on the same port, and do the work of their sockets: the system
 * shares new connections out among all that listen (SO_REUSEPORT). Sessions stay on the main thread. Plain HTTP that
 * reaches such a thread is passed on to a Unix socket of this process, on which the main thread answers it as on its port.
 */
import { randomUUID } from "node:crypto";
import type { Log } from "../base/log.ts";
import type { PeerAdmission, PeerHandshake, PeerRefusal } from "../lane/accept-tasks.ts";
import { Acceptor, type RemoteOwner, type RemoteSocket } from "../pool/acceptor.ts";
import type { Admitted, Peers } from "./peers.ts";

export interface AcceptorsSettings {
  /** The threads' entry file. */
  entry: URL;
  count: number;
  host: string;
  port: number;
  peers: Peers;
  /** Answers HTTP on a Unix socket. */
  serveHttp(unix: string): { stop(closeConnections: boolean): Promise<void> };
  /** Whether the server has begun to end, and what a handshake is refused with then. */
  refusal(): Response | undefined;
  log: Log;
}

export class Acceptors {
  readonly #settings: AcceptorsSettings;
  readonly #http: { stop(closeConnections: boolean): Promise<void> };
  readonly #acceptors: Acceptor[];
  /** Handshakes that may go on and have not yet. */
  readonly #admitted = new WeakMap<RemoteSocket, Admitted>();

  constructor(settings: AcceptorsSettings) {
    this.#settings = settings;
    const { entry, count, host, port, log } = settings;
    // A socket without a file (Linux): a server that is killed leaves nothing behind.
    const httpSocket = `\0wavecache-${randomUUID()}`;
    this.#http = settings.serveHttp(httpSocket);
    this.#acceptors = Array.from(
      { length: count },
      (_, index) =>
        new Acceptor({
          entry,
          name: `acceptor ${index + 1}`,
          start: { host, port, httpSocket },
          ask: (socket, handshake) => this.#ask(socket, handshake),
          open: (socket) => this.#open(socket),
          abandoned: (socket) => this.#abandoned(socket),
          onLost: (reason) => log.error("an accepting thread died and is started again", { reason }),
        }),
    );
  }

  /** Resolves once all threads listen. */
  async listening(): Promise<void> {
    await Promise.all(this.#acceptors.map((acceptor) => acceptor.listening));
  }

  async close(): Promise<void> {
    await Promise.all(this.#acceptors.map((acceptor) => acceptor.close()));
    await this.#http.stop(true);
  }

  async #ask(socket: RemoteSocket, handshake: PeerHandshake): Promise<PeerAdmission | PeerRefusal> {
    const verdict = this.#settings.refusal() ?? this.#settings.peers.admit(handshake);
    if (verdict instanceof Response) {
      return { status: verdict.status, headers: [...verdict.headers], body: await verdict.text() };
    }
    this.#admitted.set(socket, verdict);
    return { protocol: verdict.route.protocol };
  }

  #abandoned(socket: RemoteSocket): void {
    if (this.#admitted.has(socket)) this.#settings.peers.abandon();
  }

  #open(socket: RemoteSocket): RemoteOwner {
    const { peers } = this.#settings;
    const peer = peers.open(this.#admitted.get(socket)!, socket);
    return {
      message: (message) => peer.message(message),
      drained: () => peer.drained(),
      closed: () => peers.closed(peer),
    };
  }
}
