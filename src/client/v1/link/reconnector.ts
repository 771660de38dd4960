/** Keeps a link to the server: opens it when it is first needed, and again after it is lost or the server leaves. */
import { subprotocol } from "../../../wire/v1/messages.ts";
import { connect, type Connection, type ConnectionLimits } from "../../transport/connection.ts";
import { ClientError } from "../../errors.ts";
import { type RetryNotice, type RetryPolicy, withRetries } from "../../transport/retry.ts";
import { abortable } from "./abortable.ts";
import { Link } from "./link.ts";
import type { StreamPlatform } from "../platform.ts";
import { shownUrl } from "../../transport/credential.ts";

/** Events of the connection, for logs and notices. */
export type ConnectionEvent =
  | { type: "connecting"; url: string }
  | { type: "connected"; server: string }
  | { type: "lost"; error: ClientError }
  /** The server shuts down: open channels end there, or resume on the next connection. */
  | { type: "leaving" }
  | ({ type: "retrying" } & RetryNotice);

export interface ReconnectorOptions {
  platform: StreamPlatform;
  url: string;
  name: string;
  token?: string | undefined;
  retry: RetryPolicy;
  limits?: Partial<ConnectionLimits> | undefined;
  onEvent?: ((event: ConnectionEvent) => void) | undefined;
}

export class Reconnector {
  readonly #options: ReconnectorOptions;
  readonly #closing = new AbortController();
  /** All links that have not ended: the current one, and those that finish their channels while the server leaves. */
  readonly #open = new Set<Link>();
  #current: Link | undefined;
  #connecting: Promise<Link> | undefined;
  /** An open connection for the first link. */
  #first: Connection | undefined;

  constructor(options: ReconnectorOptions, first?: Connection) {
    this.#options = options;
    this.#first = first;
  }

  get platform(): StreamPlatform {
    return this.#options.platform;
  }

  /** Aborts with CLOSED when `close` is called. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /**
   * The current link, or a new one after as many attempts as the policy allows. Concurrent callers share the attempts.
   * Throws an error that is final, or the reason of the signal.
   */
  async get(signal?: AbortSignal): Promise<Link> {
    signal?.throwIfAborted();
    this.closing.throwIfAborted();
    if (this.#current?.isUsable === true) return this.#current;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return abortable(this.#connecting, signal);
  }

  /**
   * Calls `attempt` with a link until it succeeds or throws a final error. A failed attempt counts as a retry of the policy
   * unless `progress` has grown; waiting for a new link does not count.
   */
  withRetries<T>(
    progress: () => number,
    signal: AbortSignal,
    attempt: (link: Link) => Promise<T>,
  ): Promise<T> {
    const hooks = { signal, progress, onRetry: () => undefined };
    return withRetries(this.#options.retry, hooks, async () => attempt(await this.get(signal)));
  }

  /** Closes all links; their open channels fail with CLOSED. */
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
    const { url, name, token, platform, onEvent } = this.#options;
    onEvent?.({ type: "connecting", url: shownUrl(url) });
    const connection = await this.#openConnection();
    try {
      const link = await Link.open(connection, {
        name,
        token,
        crc32: platform.crc32,
        onLeaving: () => onEvent?.({ type: "leaving" }),
        onEnd: (error) => this.#onEnd(link, error),
      });
      this.#open.add(link);
      onEvent?.({ type: "connected", server: link.server.name });
      return link;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async #openConnection(): Promise<Connection> {
    const { platform, url, limits } = this.#options;
    const first = this.#first;
    this.#first = undefined;
    const connection = first ?? (await connect(platform, url, this.closing, limits, [subprotocol]));
    if (connection.protocol === subprotocol) return connection;
    connection.close();
    throw new ClientError("OTHER_PROTOCOL", shownUrl(url));
  }

  #onEnd(link: Link, error: ClientError): void {
    this.#open.delete(link);
    if (this.#current === link) this.#current = undefined;
    if (!this.closing.aborted) this.#options.onEvent?.({ type: "lost", error });
  }
}
