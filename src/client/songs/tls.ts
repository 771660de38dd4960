/**
 * A song by name over TLS: the client sends the name in one write, the server sends the song and closes. The protocol
 * tells neither the size nor whether the song exists: if it does not, the server closes without sending data.
 */
import { connect, type TLSSocket } from "node:tls";
import { systemCode } from "../../base/errors.ts";
import { encodeSongName } from "../../wire/song-name.ts";
import { ClientError } from "../errors.ts";
import { connectTimeoutMs, stallTimeoutMs } from "../limits.ts";
import { type SongDownload, type SongResult, songRequest } from "./song.ts";
import { type Trust, tlsOptions, trustError } from "../transport/trust.ts";

export interface SongTlsOptions {
  host: string;
  port: number;
  name: string;
  /** For a server that asks for one. */
  token?: string | undefined;
  /** Trusts the well-known authorities by default. */
  trust?: Trust;
  /** Aborts the transfer; pending calls then throw the signal's reason. */
  signal?: AbortSignal;
  /** For the connection and its TLS handshake together; 5 s by default. */
  connectTimeoutMs?: number;
  /** CONNECTION_LOST after this time without data while the reader waits; 60 s by default. */
  stallTimeoutMs?: number;
}

/**
 * Connects and requests the song. Throws BAD_ARGUMENT for an invalid name, UNREACHABLE, CONNECT_TIMEOUT, NO_TLS, or an
 * error of the certificate; reading the chunks throws CONNECTION_LOST.
 */
export async function openSongTls(options: SongTlsOptions): Promise<SongDownload> {
  const { name, token, signal } = options;
  const request = encodeSongName(songRequest(name, token));
  if (request === undefined) {
    throw new ClientError("BAD_ARGUMENT", "the name of the song", "use 1 to 1024 bytes of UTF-8");
  }
  signal?.throwIfAborted();
  const socket = await connected(options);
  socket.write(request);
  return downloadFrom(socket, options);
}

function connected(options: SongTlsOptions): Promise<TLSSocket> {
  const { host, port, trust = {}, signal, connectTimeoutMs: timeoutMs = connectTimeoutMs } = options;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({ host, port, ...tlsOptions(trust) });
  const abort = () => reject(signal?.reason);
  const timer = setTimeout(() => reject(new ClientError("CONNECT_TIMEOUT", at(options))), timeoutMs);
  socket.once("secureConnect", () => resolve(socket));
  socket.once("error", (error) => reject(connectError(error, options)));
  socket.once("close", () =>
    reject(new ClientError("UNREACHABLE", `${at(options)} (the server closed the connection)`)),
  );
  signal?.addEventListener("abort", abort);
  return promise
    .catch((error: unknown) => {
      socket.destroy();
      throw error;
    })
    .finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    });
}

function connectError(error: Error, options: SongTlsOptions): ClientError {
  const cause = systemCode(error) ?? error.message;
  return trustError(error, at(options)) ?? new ClientError("UNREACHABLE", `${at(options)} (${cause})`);
}

function at({ host, port }: SongTlsOptions): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function downloadFrom(socket: TLSSocket, options: SongTlsOptions): SongDownload {
  const { promise: result, resolve, reject } = Promise.withResolvers<SongResult>();
  // Reading the chunks throws the same error, so a program need not look at the result.
  result.catch(() => undefined);
  const chunks = chunksOf(socket, options, {
    onEnd: (bytes) => resolve({ bytes, complete: undefined, verified: false }),
    onError: reject,
  });
  return { size: undefined, sha256: undefined, chunks, result };
}

interface OutcomeHandlers {
  onEnd(bytes: number): void;
  onError(error: unknown): void;
}

async function* chunksOf(
  socket: TLSSocket,
  { signal, stallTimeoutMs: timeoutMs = stallTimeoutMs }: SongTlsOptions,
  handlers: OutcomeHandlers,
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  const abort = () => socket.destroy();
  const stalled = () => socket.destroy(new Error("the server sends nothing"));
  signal?.addEventListener("abort", abort);
  let timer = setTimeout(stalled, timeoutMs);
  try {
    signal?.throwIfAborted();
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      // The timeout must not count the time that the reader needs for a chunk.
      clearTimeout(timer);
      bytes += chunk.length;
      yield chunk;
      timer = setTimeout(stalled, timeoutMs);
    }
    signal?.throwIfAborted();
    handlers.onEnd(bytes);
  } catch (error) {
    const failure = signal?.aborted === true ? signal.reason : lost(error, bytes);
    handlers.onError(failure);
    throw failure;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    socket.destroy();
    handlers.onEnd(bytes);
  }
}

function lost(error: unknown, bytes: number): ClientError {
  const cause = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
  return new ClientError("CONNECTION_LOST", `after ${bytes} bytes (${cause})`, "request the song again");
}
