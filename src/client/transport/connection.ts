/**
 * One WebSocket as a queue of received frames. A lost connection, a silent server or an aborted signal makes the waiting
 * call throw, and every later call throws the same error.
 */
import { ClientError } from "../errors.ts";
import {
  closeTimeoutMs,
  connectTimeoutMs,
  firstPollMs,
  maxInboxBytes,
  maxInboxFrames,
  maxPollMs,
  stallTimeoutMs,
} from "../limits.ts";
import type { Socket, SocketPlatform } from "./platform.ts";
import { shownUrl } from "./credential.ts";
import { pause } from "./retry.ts";
import { trustError } from "./trust.ts";

/** A text frame, or the bytes of a binary one. */
export type SocketFrame = string | Uint8Array;

/** How a WebSocket was closed; code 1006 if the connection ended without a close frame. */
export interface SocketClose {
  code: number;
  reason: string;
}

export interface ConnectionLimits {
  connectTimeoutMs: number;
  stallTimeoutMs: number;
}

const defaultLimits: ConnectionLimits = { connectTimeoutMs, stallTimeoutMs };

/** Close codes that a retry would meet again, such as 1009 (frame too large) and 4403 (not allowed). */
const finalCloseCodes: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010, 4401, 4403]);

/** HTTP statuses that a retry may not meet again, apart from 5xx. */
const transientStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Connects, and offers the subprotocols if there are any. Throws BAD_URL, UNREACHABLE, CONNECT_TIMEOUT, OTHER_PROTOCOL
 * (no subprotocol accepted), REFUSED (HTTP, but no WebSocket at this path), NO_TLS, or an error of the certificate. The
 * signal ends the connection whenever it aborts.
 */
export async function connect(
  platform: SocketPlatform,
  url: string,
  signal?: AbortSignal,
  limits: Partial<ConnectionLimits> = {},
  protocols: readonly string[] = [],
): Promise<Connection> {
  signal?.throwIfAborted();
  const socket = openSocket(platform, url, protocols);
  const connection = new Connection(socket, shownUrl(url), signal, { ...defaultLimits, ...limits });
  await connection.opened();
  return connection;
}

function openSocket(platform: SocketPlatform, url: string, protocols: readonly string[]): Socket {
  const scheme = /^wss?:\/\/[^/]/i.test(url);
  if (!scheme) throw new ClientError("BAD_URL", shownUrl(url));
  try {
    return platform.openSocket(url, protocols);
  } catch (error) {
    throw new ClientError("BAD_URL", shownUrl(error instanceof Error ? error.message : String(error)));
  }
}

export class Connection {
  readonly #socket: Socket;
  readonly #url: string;
  readonly #signal: AbortSignal | undefined;
  readonly #limits: ConnectionLimits;
  readonly #inbox: SocketFrame[] = [];
  #inboxBytes = 0;
  #state: "connecting" | "open" | "closed" = "connecting";
  /** What every call throws from now on. */
  #failure: unknown;
  #close: SocketClose | undefined;
  /** What the platform's error event says before the close event. */
  #errorText = "";
  #error: unknown;
  /** Wakes the one waiting call. */
  #wakeWaiter: (() => void) | undefined;

  constructor(socket: Socket, url: string, signal: AbortSignal | undefined, limits: ConnectionLimits) {
    this.#socket = socket;
    this.#url = url;
    this.#signal = signal;
    this.#limits = limits;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      if (this.#state === "connecting") this.#state = "open";
      this.#wakeWaiter?.();
    });
    socket.addEventListener("message", (event) => this.#onMessage(event.data));
    socket.addEventListener("error", (event) => {
      this.#errorText = event.message ?? "";
      this.#error = event.error;
    });
    socket.addEventListener("close", (event) => this.#onClose(event.code, event.reason));
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** The subprotocol that the server has accepted; empty for none. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Bytes passed to `send` that have not left yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Resolves when the WebSocket is open. */
  async opened(): Promise<void> {
    const deadline = performance.now() + this.#limits.connectTimeoutMs;
    while (this.#state === "connecting") {
      this.#throwFailure();
      if (!(await this.#nextEvent(deadline))) this.#fail(new ClientError("CONNECT_TIMEOUT", this.#url));
    }
    this.#throwFailure();
  }

  /** Sends one frame. A view is copied before this returns. */
  send(frame: string | Uint8Array<ArrayBuffer>): void {
    this.#throwFailure();
    this.#socket.send(frame);
  }

  /**
   * Resolves when at most `bytes` are buffered. WebSockets have no event for that, so this polls at growing intervals.
   * Throws CONNECTION_LOST if nothing leaves for `stallTimeoutMs`.
   */
  async drained(bytes: number): Promise<void> {
    let pollMs = firstPollMs;
    let minBytes = this.bufferedBytes;
    let deadline = performance.now() + this.#limits.stallTimeoutMs;
    while (this.bufferedBytes > bytes) {
      this.#throwFailure();
      await pause(pollMs, this.#signal);
      pollMs = Math.min(pollMs * 2, maxPollMs);
      if (this.bufferedBytes < minBytes) {
        minBytes = this.bufferedBytes;
        deadline = performance.now() + this.#limits.stallTimeoutMs;
      } else if (performance.now() > deadline) {
        this.#fail(new ClientError("CONNECTION_LOST", "the server accepts no data"));
      }
    }
    this.#throwFailure();
  }

  /** The next frame if there is one; does not wait. */
  poll(): SocketFrame | undefined {
    const frame = this.#inbox.shift();
    if (frame !== undefined) {
      this.#inboxBytes -= frame.length;
      return frame;
    }
    this.#throwFailure();
    return undefined;
  }

  /** Waits for the next frame; undefined if none arrives before `deadline` (of `performance.now()`). */
  async receive(deadline: number): Promise<SocketFrame | undefined> {
    for (;;) {
      const frame = this.poll();
      if (frame !== undefined) return frame;
      if (!(await this.#nextEvent(deadline))) return this.poll();
    }
  }

  /** Waits for the next frame without removing it; undefined if none arrives before `deadline`. */
  async peek(deadline: number): Promise<SocketFrame | undefined> {
    while (this.#inbox.length === 0) {
      this.#throwFailure();
      if (!(await this.#nextEvent(deadline))) break;
    }
    return this.#inbox[0];
  }

  /** Removes all received frames. Works after a failure too, which the last frames may explain. */
  drain(): SocketFrame[] {
    this.#inboxBytes = 0;
    return this.#inbox.splice(0);
  }

  /**
   * Closes the WebSocket once everything sent has left, and resolves with the server's close; undefined if none comes in
   * time. Throws REFUSED if the server closes with a code that a retry would meet again.
   */
  async closeGracefully(timeoutMs: number): Promise<SocketClose | undefined> {
    await this.drained(0);
    this.#socket.close(1000);
    const deadline = performance.now() + timeoutMs;
    while (this.#close === undefined) {
      this.#throwFailure();
      if (!(await this.#nextEvent(deadline))) return undefined;
    }
    if (finalCloseCodes.has(this.#close.code)) this.#throwFailure();
    return this.#close;
  }

  /** Closes the WebSocket and drops the received frames. After `closeTimeoutMs` the connection is cut. */
  close(): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open" && this.#failure === undefined;
    this.#failure ??= new ClientError("CONNECTION_LOST", "the client closed it");
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#socket.close(wasOpen ? 1000 : undefined);
    const timer = setTimeout(() => this.#socket.terminate?.(), wasOpen ? closeTimeoutMs : 0);
    this.#socket.addEventListener("close", () => clearTimeout(timer));
  }

  #onMessage(data: unknown): void {
    const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (this.#failure !== undefined) return;
    if (typeof frame !== "string" && !(frame instanceof Uint8Array)) {
      this.#fail(new ClientError("UNEXPECTED", "a message that is neither text nor bytes"));
      return;
    }
    this.#inbox.push(frame);
    this.#inboxBytes += frame.length;
    if (this.#inboxBytes > maxInboxBytes || this.#inbox.length > maxInboxFrames) {
      this.#fail(new ClientError("UNEXPECTED", "it sends data that was not requested"));
    }
    this.#wakeWaiter?.();
  }

  #onClose(code: number, reason: string): void {
    this.#close = { code, reason };
    this.#failure ??=
      this.#state === "connecting"
        ? connectError(this.#url, this.#errorText, this.#error)
        : closeError(code, reason, this.#errorText);
    this.#state = "closed";
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#wakeWaiter?.();
  }

  readonly #onAbort = (): void => {
    this.#fail(this.#signal?.reason);
  };

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
    this.#wakeWaiter?.();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves true when a frame arrives or the state changes, false at the deadline. */
  #nextEvent(deadline: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (happened: boolean) => {
        clearTimeout(timer);
        this.#wakeWaiter = undefined;
        resolve(happened);
      };
      const timer = setTimeout(() => end(false), Math.max(0, deadline - performance.now()));
      this.#wakeWaiter = () => end(true);
    });
  }
}

/** Why the connection could not be opened, according to the platform (browsers do not say). */
function connectError(url: string, text: string, error: unknown): ClientError {
  const tlsError = trustError(error, new URL(url).host);
  if (tlsError !== undefined) return tlsError;
  const cause = text.replace(/^.*? failed: /, "");
  // The texts of Bun and of ws for a server that accepts none of the offered subprotocols.
  if (/client protocol|no subprotocol/i.test(cause)) return new ClientError("OTHER_PROTOCOL", url);
  const status = Number(/status code: (\d{3})/.exec(cause)?.[1] ?? 0);
  if (status < 400 || status >= 500 || transientStatuses.has(status)) {
    return new ClientError("UNREACHABLE", cause === "" ? url : `${url} (${cause})`);
  }
  const hint =
    status === 401 || status === 403
      ? "the server asks for a token that allows this: --token or WAVECACHE_TOKEN"
      : "is the path right? By default it is /audio for the audio cache, /ws for live ingest";
  return new ClientError("REFUSED", `${url} answers HTTP status ${status} instead of a WebSocket`, hint);
}

/** The texts of Bun and of ws for a text frame that is not UTF-8. Others only have the close code 1007. */
const notUtf8 = /invalid utf-?8/i;

function closeError(code: number, reason: string, errorText: string): ClientError {
  if (notUtf8.test(errorText)) return new ClientError("TEXT_NOT_UTF8");
  if (!finalCloseCodes.has(code)) return new ClientError("CONNECTION_LOST", reason);
  const hint = code === 1009 ? "send smaller frames" : undefined;
  return new ClientError("REFUSED", `closed with ${code}${reason === "" ? "" : ` (${reason})`}`, hint);
}
