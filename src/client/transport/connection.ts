/**
 * One WebSocket: frames come out in the order in which they arrived, and a lost connection, a silent server and an
 * aborted signal are errors of whoever waits. After the first error every call throws that error.
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
import { pause } from "./retry.ts";
import { trustError } from "./trust.ts";

/** A text frame, or the bytes of a binary one. */
export type SocketFrame = string | Uint8Array;

/** How a connection was closed; code 1006 where it was cut off without a word. */
export interface SocketClose {
  code: number;
  reason: string;
}

export interface ConnectionLimits {
  connectTimeoutMs: number;
  stallTimeoutMs: number;
}

const defaultLimits: ConnectionLimits = { connectTimeoutMs, stallTimeoutMs };

/**
 * Close codes that say "not like this": a frame that is too large (1009) or not allowed here (1008) will be so again.
 */
const finalCloseCodes: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

/** HTTP answers to the WebSocket request that time may change, apart from 5xx. */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429]);

/**
 * Connects, offering the subprotocols if there are any, or throws BAD_URL, UNREACHABLE, REFUSED (the server speaks HTTP, but no WebSocket here) or CONNECT_TIMEOUT.
 * The signal holds for the connection's whole life.
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
  const connection = new Connection(socket, url, signal, { ...defaultLimits, ...limits });
  await connection.opened();
  return connection;
}

function openSocket(platform: SocketPlatform, url: string, protocols: readonly string[]): Socket {
  const scheme = /^wss?:\/\/[^/]/i.test(url);
  if (!scheme) throw new ClientError("BAD_URL", url);
  try {
    return platform.openSocket(url, protocols);
  } catch (error) {
    throw new ClientError("BAD_URL", error instanceof Error ? error.message : String(error));
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
  /** Why the connection is of no use any more. */
  #failure: unknown;
  #close: SocketClose | undefined;
  /** What the platform said of a failure, before the close event. */
  #errorText = "";
  #error: unknown;
  /** Calls the one waiter. */
  #wake: (() => void) | undefined;

  constructor(socket: Socket, url: string, signal: AbortSignal | undefined, limits: ConnectionLimits) {
    this.#socket = socket;
    this.#url = url;
    this.#signal = signal;
    this.#limits = limits;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      if (this.#state === "connecting") this.#state = "open";
      this.#wake?.();
    });
    socket.addEventListener("message", (event) => this.#arrived(event.data));
    socket.addEventListener("error", (event) => {
      this.#errorText = event.message ?? "";
      this.#error = event.error;
    });
    socket.addEventListener("close", (event) => this.#closed(event.code, event.reason));
    signal?.addEventListener("abort", this.#aborted);
  }

  /** The subprotocol that the server has agreed to; empty for none. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  /** Bytes handed to `send` that have not left yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Resolves when the WebSocket is open. */
  async opened(): Promise<void> {
    const deadline = performance.now() + this.#limits.connectTimeoutMs;
    while (this.#state === "connecting") {
      this.#throwFailure();
      if (!(await this.#event(deadline))) this.#fail(new ClientError("CONNECT_TIMEOUT", this.#url));
    }
    this.#throwFailure();
  }

  /** Sends one frame; a view is copied before this returns. */
  send(frame: string | Uint8Array<ArrayBuffer>): void {
    this.#throwFailure();
    this.#socket.send(frame);
  }

  /**
   * Resolves when at most `bytes` wait in the socket. WebSockets have no event for that, so this looks again in
   * growing intervals. Throws CONNECTION_LOST when nothing leaves any more.
   */
  async drained(bytes: number): Promise<void> {
    let pollMs = firstPollMs;
    let least = this.bufferedBytes;
    let deadline = performance.now() + this.#limits.stallTimeoutMs;
    while (this.bufferedBytes > bytes) {
      this.#throwFailure();
      await pause(pollMs, this.#signal);
      pollMs = Math.min(pollMs * 2, maxPollMs);
      if (this.bufferedBytes < least) {
        least = this.bufferedBytes;
        deadline = performance.now() + this.#limits.stallTimeoutMs;
      } else if (performance.now() > deadline) {
        this.#fail(new ClientError("CONNECTION_LOST", "the server takes no data"));
      }
    }
    this.#throwFailure();
  }

  /** The next frame if one is here already. */
  take(): SocketFrame | undefined {
    const frame = this.#inbox.shift();
    if (frame !== undefined) {
      this.#inboxBytes -= frame.length;
      return frame;
    }
    this.#throwFailure();
    return undefined;
  }

  /** The next frame, or undefined when `deadline` (of `performance.now()`) passes without one. */
  async receive(deadline: number): Promise<SocketFrame | undefined> {
    for (;;) {
      const frame = this.take();
      if (frame !== undefined) return frame;
      if (!(await this.#event(deadline))) return this.take();
    }
  }

  /** The next frame, which stays to be taken, or undefined when `deadline` passes without one. */
  async peek(deadline: number): Promise<SocketFrame | undefined> {
    while (this.#inbox.length === 0) {
      this.#throwFailure();
      if (!(await this.#event(deadline))) break;
    }
    return this.#inbox[0];
  }

  /** Frames that arrived and were not taken, also after a failure: they may say why. */
  rest(): SocketFrame[] {
    this.#inboxBytes = 0;
    return this.#inbox.splice(0);
  }

  /**
   * Says goodbye when everything sent has left, and resolves with the close of the server: its answer, or what it said
   * at the same time. Undefined where none comes in time. Throws REFUSED for a close that says "not like this".
   */
  async goodbye(timeoutMs: number): Promise<SocketClose | undefined> {
    await this.drained(0);
    this.#socket.close(1000);
    const deadline = performance.now() + timeoutMs;
    while (this.#close === undefined) {
      this.#throwFailure();
      if (!(await this.#event(deadline))) return undefined;
    }
    if (finalCloseCodes.has(this.#close.code)) this.#throwFailure();
    return this.#close;
  }

  /** Says goodbye; a server that does not answer is cut off after a moment. Frames not taken yet are dropped. */
  close(): void {
    if (this.#state === "closed") return;
    const wasOpen = this.#state === "open" && this.#failure === undefined;
    this.#failure ??= new ClientError("CONNECTION_LOST", "closed here");
    this.#signal?.removeEventListener("abort", this.#aborted);
    this.#socket.close(wasOpen ? 1000 : undefined);
    const timer = setTimeout(() => this.#socket.terminate?.(), wasOpen ? closeTimeoutMs : 0);
    this.#socket.addEventListener("close", () => clearTimeout(timer));
  }

  #arrived(data: unknown): void {
    const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : data;
    if (this.#failure !== undefined) return;
    if (typeof frame !== "string" && !(frame instanceof Uint8Array)) {
      this.#fail(new ClientError("UNEXPECTED", "a message that is neither text nor bytes"));
      return;
    }
    this.#inbox.push(frame);
    this.#inboxBytes += frame.length;
    if (this.#inboxBytes > maxInboxBytes || this.#inbox.length > maxInboxFrames) {
      this.#fail(new ClientError("UNEXPECTED", "it sends data that nobody asked for"));
    }
    this.#wake?.();
  }

  #closed(code: number, reason: string): void {
    this.#close = { code, reason };
    this.#failure ??=
      this.#state === "connecting" ? refusal(this.#url, this.#errorText, this.#error) : loss(code, reason);
    this.#state = "closed";
    this.#signal?.removeEventListener("abort", this.#aborted);
    this.#wake?.();
  }

  readonly #aborted = (): void => {
    this.#fail(this.#signal?.reason);
  };

  #fail(reason: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
    this.#wake?.();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves true when a frame arrived or the state changed, false when the deadline passed first. */
  #event(deadline: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (happened: boolean) => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve(happened);
      };
      const timer = setTimeout(() => end(false), Math.max(0, deadline - performance.now()));
      this.#wake = () => end(true);
    });
  }
}

/** Why a connection was never opened, from what the platform says (browsers say nothing). */
function refusal(url: string, text: string, error: unknown): ClientError {
  const untrusted = trustError(error, new URL(url).host);
  if (untrusted !== undefined) return untrusted;
  const cause = text.replace(/^.*? failed: /, "");
  // What Bun and ws say of an answer that agrees to nothing that was offered.
  if (/client protocol|no subprotocol/i.test(cause)) return new ClientError("OTHER_PROTOCOL", url);
  const status = Number(/status code: (\d{3})/.exec(cause)?.[1] ?? 0);
  if (status < 400 || status >= 500 || passingStatuses.has(status)) {
    return new ClientError("UNREACHABLE", cause === "" ? url : `${url} (${cause})`);
  }
  const hint = "is the path right? Usual are /audio for the audio cache and /ws for live ingest";
  return new ClientError("REFUSED", `${url} answers HTTP status ${status} instead of a WebSocket`, hint);
}

function loss(code: number, reason: string): ClientError {
  if (!finalCloseCodes.has(code)) return new ClientError("CONNECTION_LOST", reason);
  const hint = code === 1009 ? "send smaller frames" : undefined;
  return new ClientError("REFUSED", `closed with ${code}${reason === "" ? "" : ` (${reason})`}`, hint);
}
