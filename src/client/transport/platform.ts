/** What the client needs from its runtime, because browsers, Node and Bun differ. Everything else uses web standards. */

/** The part of a WebSocket that the client uses. Binary messages must arrive as ArrayBuffer. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  /** The negotiated subprotocol; empty for none. */
  readonly protocol: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  /** Ends the connection without waiting for the peer, if the platform can. */
  terminate?(): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "error", listener: (event: { message?: string; error?: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

export type DigestName = "sha256" | "md5";

/** An incremental digest. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /** The digest of the bytes so far, in lower-case hex. More bytes may follow. */
  hex(): string;
}

/** The part of `fetch` that the client uses. */
export type Fetch = (
  url: URL,
  init: {
    method?: string;
    headers?: Record<string, string>;
    body?: string | Blob;
    signal: AbortSignal;
    redirect: "manual";
  },
) => Promise<Response>;

/** What a platform needs to connect. */
export interface SocketPlatform {
  /** Opens a WebSocket to exactly this address; offers these subprotocols and no compression. */
  openSocket(url: string, protocols: readonly string[]): Socket;
}

export interface Platform extends SocketPlatform {
  /**
   * Opens a WebSocket that accepts text which is not UTF-8, and passes it on as bytes. Some old servers send audio that
   * way; the platform's own WebSocket ends the connection.
   */
  openLenientSocket?(url: string): Socket;
  newDigest(name: DigestName): Digest;
}
