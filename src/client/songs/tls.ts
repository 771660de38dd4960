/**
 * A song by name over TLS: the name goes out in one write, the song comes in, and the end of the connection is its end.
 * The protocol says neither how long a song is nor whether there is one: no such song is an end without a byte.
 */
import { connect, type TLSSocket } from "node:tls";
import { systemCode } from "../../base/errors.ts";
import { encodeSongName } from "../../wire/song-name.ts";
import { ClientError } from "../errors.ts";
import { connectTimeoutMs, stallTimeoutMs } from "../limits.ts";
import type { SongDownload, SongResult } from "./song.ts";
import { type Trust, tlsOptions, trustError } from "../transport/trust.ts";

export interface SongTlsOptions {
  host: string;
  port: number;
  name: string;
  /** The well-known authorities by default. */
  trust?: Trust;
  /** Ends the transfer at once; what waits then throws the signal's reason. */
  signal?: AbortSignal;
  /** For the connection and its handshake together. */
  connectTimeoutMs?: number;
  /** How long the server may send nothing while it is waited for. */
  stallTimeoutMs?: number;
}

/**
 * Connects and asks for the song. Throws BAD_ARGUMENT for a name that cannot be asked for, UNREACHABLE, CONNECT_TIMEOUT,
 * NO_TLS, and what is wrong with the certificate; reading the chunks throws CONNECTION_LOST.
 */
export async function openSongTls(options: SongTlsOptions): Promise<SongDownload> {
  const { name, signal } = options;
  const request = encodeSongName(name);
  if (request === undefined) {
    throw new ClientError("BAD_ARGUMENT", "the name of the song", "it takes 1 to 1024 bytes of UTF-8");
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
    reject(new ClientError("UNREACHABLE", `${at(options)} (it closed the connection)`)),
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
  // Whoever reads the chunks meets the same error there, and may never look at the result.
  result.catch(() => undefined);
  const chunks = chunksOf(socket, options, {
    ended: (bytes) => resolve({ bytes, complete: undefined, verified: false }),
    failed: reject,
  });
  return { size: undefined, sha256: undefined, chunks, result };
}

interface Outcome {
  ended(bytes: number): void;
  failed(error: unknown): void;
}

async function* chunksOf(
  socket: TLSSocket,
  { signal, stallTimeoutMs: timeoutMs = stallTimeoutMs }: SongTlsOptions,
  outcome: Outcome,
): AsyncGenerator<Uint8Array, void, void> {
  let bytes = 0;
  const abort = () => socket.destroy();
  const stalled = () => socket.destroy(new Error("the server sends nothing"));
  signal?.addEventListener("abort", abort);
  let timer = setTimeout(stalled, timeoutMs);
  try {
    signal?.throwIfAborted();
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      // Time that the reader takes is not the server's.
      clearTimeout(timer);
      bytes += chunk.length;
      yield chunk;
      timer = setTimeout(stalled, timeoutMs);
    }
    signal?.throwIfAborted();
    outcome.ended(bytes);
  } catch (error) {
    const failure = signal?.aborted === true ? signal.reason : lost(error, bytes);
    outcome.failed(failure);
    throw failure;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    socket.destroy();
    outcome.ended(bytes);
  }
}

function lost(error: unknown, bytes: number): ClientError {
  const cause = systemCode(error) ?? (error instanceof Error ? error.message : String(error));
  return new ClientError("CONNECTION_LOST", `after ${bytes} bytes (${cause})`, "ask for the song again");
}
