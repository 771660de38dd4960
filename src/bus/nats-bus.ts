/**
 * The bus over a NATS server. It connects again by itself, and subscribes again to what it has subscribed to. Without a
 * connection it drops what is published: whatever is live is out of date by the time that the connection is back.
 */
import type { ConnectionOptions, Msg, NatsConnection, Subscription } from "@nats-io/transport-node";
import { WavecacheError } from "../base/errors.ts";
import {
  busAnswerMs,
  busConnectTimeoutMs,
  busPingMs,
  busReconnectMs,
  busUnansweredPings,
  maxBusBacklogBytes,
} from "../base/limits/bus.ts";
import type { Log } from "../base/log/log.ts";
import { readServiceCredentials, type ServiceCredentials } from "../base/system/credentials.ts";
import type { Bus, BusMessage } from "./bus.ts";

export interface NatsSettings {
  /** `nats://` or `tls://` URLs of the servers of one NATS cluster. */
  servers: string[];
  /** Undefined for none. */
  credentialsFile: string | undefined;
  /** First tokens of every subject. */
  prefix: string;
}

export interface BusFigures {
  isConnected: boolean;
  /** Connections since the start. */
  connects: number;
  sent: number;
  sentBytes: number;
  received: number;
  receivedBytes: number;
  dropped: number;
}

interface Subscribed {
  subject: string;
  onMessage: (message: BusMessage) => void;
  /** Undefined before the first connection. */
  subscription: Subscription | undefined;
}

export class NatsBus implements Bus {
  readonly #settings: NatsSettings;
  readonly #options: ConnectionOptions;
  readonly #log: Log;
  readonly #subscribed = new Set<Subscribed>();
  #connection: NatsConnection | undefined;
  #isConnected = false;
  #isClosed = false;
  #counts = { connects: 0, sent: 0, sentBytes: 0, received: 0, receivedBytes: 0, dropped: 0 };
  /** Published, and not known to have reached the server. */
  #backlogBytes = 0;
  #isFlushing = false;

  /** Begins to connect: a server that is down is not needed for a start. Rejects with CREDENTIALS_UNUSABLE. */
  static async open(settings: NatsSettings, log: Log): Promise<NatsBus> {
    const { credentialsFile: file } = settings;
    const credentials = file === undefined ? undefined : await readServiceCredentials(file, log);
    const bus = new NatsBus(settings, connectionOptions(settings, credentials), log);
    void bus.#connect();
    return bus;
  }

  private constructor(settings: NatsSettings, options: ConnectionOptions, log: Log) {
    this.#settings = settings;
    this.#options = options;
    this.#log = log;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get figures(): BusFigures {
    return { isConnected: this.#isConnected, ...this.#counts };
  }

  publish(subject: string, payload: Uint8Array): boolean {
    const connection = this.#isConnected ? this.#connection : undefined;
    const hasRoom = this.#backlogBytes + payload.length <= maxBusBacklogBytes;
    if (connection === undefined || !hasRoom || isTooLong(connection, payload)) {
      this.#counts.dropped += 1;
      return false;
    }
    connection.publish(this.#subject(subject), payload);
    this.#sent(connection, payload);
    return true;
  }

  subscribe(subject: string, onMessage: (message: BusMessage) => void): () => void {
    const subscribed: Subscribed = { subject, onMessage, subscription: undefined };
    this.#subscribed.add(subscribed);
    if (this.#connection !== undefined) this.#listen(this.#connection, subscribed);
    return () => {
      this.#subscribed.delete(subscribed);
      if (!this.#isClosed) subscribed.subscription?.unsubscribe();
    };
  }

  async request(
    subject: string,
    payload: Uint8Array,
    limitMs: number = busAnswerMs,
  ): Promise<Uint8Array | undefined> {
    const connection = this.#isConnected ? this.#connection : undefined;
    if (connection === undefined) throw new WavecacheError("NODE_UNREACHABLE", "NATS is not connected");
    try {
      const answer = connection.request(this.#subject(subject), payload, { timeout: limitMs });
      this.#sent(connection, payload);
      const { data } = await answer;
      this.#countReceived(data);
      return data;
    } catch (error) {
      if (isNobodyThere(error)) return undefined;
      throw new WavecacheError("NODE_UNREACHABLE", error instanceof Error ? error.message : undefined);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#isConnected = false;
    await this.#connection?.close();
  }

  async #connect(): Promise<void> {
    // Most servers are alone: they need not load this.
    const { connect } = await import("@nats-io/transport-node");
    let hasFailed = false;
    while (!this.#isClosed && this.#connection === undefined) {
      try {
        this.#connection = await connect(this.#options);
      } catch (error) {
        // Once in a row: the next tries mostly fail alike.
        if (!hasFailed) this.#log.warn("NATS cannot be reached; the next tries are silent", { error });
        hasFailed = true;
        await Bun.sleep(busReconnectMs);
      }
    }
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#isClosed) return await connection.close();
    void this.#watch(connection);
    for (const each of this.#subscribed) this.#listen(connection, each);
    this.#connected(true);
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const { type, ...status } of connection.status()) {
      if (connection !== this.#connection) return;
      if (type === "reconnect") this.#connected(true);
      else if (type === "disconnect") this.#connected(false);
      else if (type === "staleConnection") return this.#abandon(connection);
      else if ("error" in status) this.#log.warn("NATS reports an error", { error: status.error });
    }
  }

  /**
   * The server does not answer. The client would connect again only once its socket is closed, and that waits for what the
   * server has not read.
   */
  #abandon(connection: NatsConnection): void {
    this.#connected(false);
    this.#connection = undefined;
    this.#forgetBacklog();
    connection.close().catch((error: unknown) => this.#log.debug("a connection was abandoned", { error }));
    void this.#connect();
  }

  #connected(isConnected: boolean): void {
    if (this.#isClosed || isConnected === this.#isConnected) return;
    this.#isConnected = isConnected;
    if (isConnected) {
      this.#counts.connects += 1;
      this.#log.info("connected to NATS", { servers: this.#settings.servers.join(",") });
    } else {
      this.#log.warn("the connection to NATS is lost: only what is at this node can be heard and operated");
    }
  }

  #listen(connection: NatsConnection, subscribed: Subscribed): void {
    subscribed.subscription = connection.subscribe(this.#subject(subscribed.subject), {
      callback: (error, message) => {
        if (error === null) this.#receive(connection, message, subscribed);
        else this.#log.warn("a subscription has failed", { subject: subscribed.subject, error });
      },
    });
  }

  #receive(connection: NatsConnection, message: Msg, { onMessage }: Subscribed): void {
    this.#countReceived(message.data);
    onMessage({ payload: message.data, respond: (payload) => this.#respond(connection, message, payload) });
  }

  #respond(connection: NatsConnection, message: Msg, payload: Uint8Array): void {
    if (isTooLong(connection, payload)) {
      this.#counts.dropped += 1;
      return;
    }
    message.respond(payload);
    this.#sent(connection, payload);
  }

  /** Single flight: each round covers what was published before it. Every connection starts without a backlog. */
  async #flush(connection: NatsConnection): Promise<void> {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    try {
      while (this.#backlogBytes > 0) {
        const bytes = this.#backlogBytes;
        await connection.flush();
        if (connection !== this.#connection) return;
        this.#backlogBytes -= bytes;
      }
      this.#isFlushing = false;
    } catch (error) {
      // The connection is lost, and what was published with it.
      if (connection === this.#connection) this.#forgetBacklog();
      if (!this.#isClosed) this.#log.debug("published messages are lost", { error });
    }
  }

  #forgetBacklog(): void {
    this.#backlogBytes = 0;
    this.#isFlushing = false;
  }

  #sent(connection: NatsConnection, payload: Uint8Array): void {
    this.#counts.sent += 1;
    this.#counts.sentBytes += payload.length;
    if (connection !== this.#connection) return;
    this.#backlogBytes += payload.length;
    void this.#flush(connection);
  }

  #countReceived(payload: Uint8Array): void {
    this.#counts.received += 1;
    this.#counts.receivedBytes += payload.length;
  }

  #subject(subject: string): string {
    return `${this.#settings.prefix}.${subject}`;
  }
}

function connectionOptions(
  { servers }: NatsSettings,
  credentials: ServiceCredentials | undefined,
): ConnectionOptions {
  return {
    servers,
    ...(credentials === undefined ? {} : { user: credentials.username, pass: credentials.password }),
    name: "wavecache",
    // A node must not answer its own requests.
    noEcho: true,
    timeout: busConnectTimeoutMs,
    pingInterval: busPingMs,
    maxPingOut: busUnansweredPings,
    maxReconnectAttempts: -1,
    reconnectTimeWait: busReconnectMs,
  };
}

/** The client throws for such a message, which would end its reading if that happens in a callback. */
function isTooLong({ info }: NatsConnection, { length }: Uint8Array): boolean {
  return info !== undefined && length > info.max_payload;
}

function isNobodyThere(error: unknown): boolean {
  return error instanceof Error && "isNoResponders" in error && (error as NoResponders).isNoResponders();
}

interface NoResponders extends Error {
  isNoResponders(): boolean;
}
