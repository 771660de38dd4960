/** Notices about a v1 connection and its uploads: losses and recoveries always, the rest with --verbose. */
import type { ConnectionEvent } from "../../client/v1/link/reconnector.ts";
import { retryText } from "../connect/server-options.ts";
import { flagOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { startedOverText } from "./transfer-options.ts";

export class ConnectionNotices {
  /** Connections lost so far. */
  losses = 0;
  #wasConnected = false;
  #isLost = false;
  readonly #verbose: boolean;
  readonly #context: Context;

  constructor(options: Options, context: Context) {
    this.#verbose = flagOption(options, "verbose");
    this.#context = context;
  }

  add(event: ConnectionEvent): void {
    const line = this.#lineOf(event);
    if (line !== undefined) this.#context.terminal.note(line);
  }

  /** The server had other audio under this id. */
  startedOver(streamId: string): void {
    this.#context.terminal.note(startedOverText(streamId));
  }

  #lineOf(event: ConnectionEvent): string | undefined {
    switch (event.type) {
      case "lost":
        this.losses += 1;
        this.#isLost = true;
        return `reconnecting: ${event.error.message}`;
      case "retrying":
        return `${this.#wasConnected ? "reconnecting: " : ""}${retryText(event)}`;
      case "connected":
        return this.#connected(event.server);
      case "connecting":
        return this.#verbose ? `connecting to ${event.url}` : undefined;
      case "leaving":
        return this.#verbose
          ? "the server is shutting down; unfinished transfers will resume on the next connection"
          : undefined;
    }
  }

  #connected(server: string): string | undefined {
    const isReconnect = this.#isLost;
    this.#wasConnected = true;
    this.#isLost = false;
    if (isReconnect) return "connected again";
    return this.#verbose ? `connected to ${server}` : undefined;
  }
}
