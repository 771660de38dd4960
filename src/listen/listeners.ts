/** The HTTP and WebSocket ports of a server: they open together and close together. */
import { Listener, type ListenerSettings } from "./listener.ts";
import { openPort } from "./open-port.ts";
import { isSocketPath, removeStaleSocket } from "./unix-socket.ts";

export class Listeners {
  readonly #all: Listener[] = [];

  /** Opens a listener for each of these; rejects, with none left open, if one cannot have its port. */
  static async open(settings: readonly ListenerSettings[]): Promise<Listeners> {
    const listeners = new Listeners();
    try {
      for (const each of settings) {
        if (isSocketPath(each.host)) await removeStaleSocket(each.host);
        listeners.#all.push(await openPort(each.host, each.port, () => new Listener(each)));
      }
      return listeners;
    } catch (error) {
      await listeners.close();
      throw error;
    }
  }

  get all(): readonly Listener[] {
    return this.#all;
  }

  /** Which names and origins browsers may use from now on. */
  allow(allowed: Pick<ListenerSettings, "allowHost" | "allowOrigin">): void {
    for (const listener of this.#all) listener.allow(allowed);
  }

  /** Refuses new connections and requests; open ones continue. */
  stopAccepting(): void {
    for (const listener of this.#all) listener.stopAccepting();
  }

  /** Resolves when no request waits for its answer any more, or after `limitMs`. */
  async untilAnswered(limitMs: number): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.untilAnswered(limitMs)));
  }

  /** Closes every connection and frees the ports. */
  async close(): Promise<void> {
    await Promise.all(this.#all.map((listener) => listener.close()));
  }
}
