/** The way to a server: one link at a time for whatever is opened, made again when it is lost or the server goes. */
import { subprotocol } from "../../../wire/v1/messages.ts";
import { connect, type Connection, type ConnectionLimits } from "../../transport/connection.ts";
import { ClientError } from "../../errors.ts";
import { type RetryNotice, type RetryPolicy, withRetries } from "../../transport/retry.ts";
import { abortable } from "./abortable.ts";
import { Link } from "./link.ts";
import type { StreamPlatform } from "../platform.ts";

/** What happens to the connection, for logs and notices. */
export type ConnectionEvent =
  | { type: "connecting"; url: string }
  | { type: "connected"; server: string }
  | { type: "lost"; error: ClientError }
  /** The server has said that it goes: what is open ends there or goes on at the next one. */
  | { type: "leaving" }
  | ({ type: "retrying" } & RetryNotice);

export interface ReconnectorOptions {
  platform: StreamPlatform;
  url: string;
  name: string;
  retry: RetryPolicy;
  limits?: Partial<ConnectionLimits> | undefined;
  onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #closing = new AbortController();
  /** Those that have not ended; the last one that is usable is for new channels. */
  readonly #open = new Set<Link>();
  #current: Link | undefined;
  #connecting: Promise<Link> | undefined;
  /** A connection made already, for the first link. */
  #first: Connection | undefined;

  constructor(options: ReconnectorOptions, first?: Connection) {
    this.#options = options;
    this.#first = first;
  }

  get retry(): RetryPolicy {
    return this.#options.retry;
  }

  get platform(): StreamPlatform {
    return this.#options.platform;
  }

  /** Aborts when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * A link on which channels can be opened; connects where there is none, again and again as the policy says. Throws
   * an error that is final, or the signal's reason.
   */
  async get(signal?: AbortSignal): Promise<Link> {
    signal?.throwIfAborted();
    this.closing.throwIfAborted();
    if (this.#current?.isUsable === true) return this.#current;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return abortable(this.#connecting, signal);
  }

  /** Ends everything; what is open on the reconnector is lost with CLOSED. */
  close(): void {
    if (this.closing.aborted) return;
    const error = new ClientError("CLOSED");
    this.#closing.abort(error);
    this.#first?.close();
    for (const link of this.#open) link.close(error);
  }

  async #connect(): Promise<Link> {
    const { retry, onEvent } = this.#options;
    const onRetry = (notice: RetryNotice) => onEvent?.({ type: "retrying", ...notice });
    try {
      const hooks = { signal: this.closing, progress: () => 0, onRetry };
      const link = await withRetries(retry, hooks, () => this.#attempt());
      this.#current = link;
      return link;
    } catch (error) {
      throw error instanceof ClientError ? error.final() : error;
    }
  }

  async #attempt(): Promise<Link> {
    const { url, name, platform, onEvent } = this.#options;
    onEvent?.({ type: "connecting", url });
    const connection = await this.#connection();
    try {
      const link = await Link.open(connection, {
        name,
        crc32: platform.crc32,
        onLeaving: () => onEvent?.({ type: "leaving" }),
        onEnd: (error) => this.#ended(link, error),
      });
      this.#open.add(link);
      onEvent?.({ type: "connected", server: link.server.name });
      return link;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async #connection(): Promise<Connection> {
    const { platform, url, limits } = this.#options;
    const first = this.#first;
    this.#first = undefined;
    const connection = first ?? (await connect(platform, url, this.closing, limits, [subprotocol]));
    if (connection.protocol === subprotocol) return connection;
    connection.close();
    throw new ClientError("OTHER_PROTOCOL", url);
  }

  #ended(link: Link, error: ClientError): void {
    this.#open.delete(link);
    if (this.#current === link) this.#current = undefined;
    if (!this.closing.aborted) this.#options.onEvent?.({ type: "lost", error });
  }
}

/**
 * Calls `attempt` with a link until it succeeds or fails for good; a new link is waited for as long as it takes
 * `Reconnector` to find one, and attempts that get no further are counted as the policy says.
 */
export function enduring<T>(
  reconnector: Reconnector,
  progress: () => number,
  signal: AbortSignal,
  attempt: (link: Link) => Promise<T>,
): Promise<T> {
  const hooks = { signal, progress, onRetry: () => undefined };
  return withRetries(reconnector.retry, hooks, async () => attempt(await reconnector.get(signal)));
}
