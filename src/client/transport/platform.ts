/**
 * What the client needs from the program it runs in, because browsers, Node and Bun differ there. Everything else
 * in this folder is written against web standards.
 */

/** The part of a WebSocket that the client uses; binary messages must arrive as ArrayBuffer. */
export interface Socket {
  binaryType: string;
  readonly bufferedAmount: number;
  /** The subprotocol that was agreed; empty for none. */
  readonly protocol: string;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  /** Ends the connection without waiting for the peer, where the platform can. */
  terminate?(): void;
  addEventListener(type: "open", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
  addEventListener(type: "error", listener: (event: { message?: string; error?: unknown }) => void): void;
  addEventListener(type: "close", listener: (event: { code: number; reason: string }) => void): void;
}

export type DigestName = "sha256" | "md5";

/** A running digest. */
export interface Digest {
  update(bytes: Uint8Array): void;
  /** Lower-case hex; the digest takes no bytes after this. */
  hex(): string;
}

/** The part of `fetch` that the client uses. */
export type Fetch = (
  url: URL,
  init: { method?: string; signal: AbortSignal; redirect: "manual" },
) => Promise<Response>;

/** What connecting takes. */
export interface SocketPlatform {
  /** Opens a WebSocket to exactly this address, offering these subprotocols and no compression. */
  openSocket(url: string, protocols: readonly string[]): Socket;
}

export interface Platform extends SocketPlatform {
  newDigest(name: DigestName): Digest;
}
