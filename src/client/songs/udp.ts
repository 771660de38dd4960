/**
 * A song by name over UDP: with the reliable protocol if the server speaks it, otherwise with the older one. Some older
 * servers exit for all their clients on a request that is not a name in printable UTF-8. So the first datagram is one
 * that an older server takes for the name of an unknown song, which it answers with an empty datagram or not at all.
 */
import { lookup } from "node:dns/promises";
import { encodeSongName } from "../../wire/song-name.ts";
import { ClientError } from "../errors.ts";
import { type SongDownload, songRequest } from "./song.ts";
import { openPlain } from "./udp-plain.ts";
import { openReliable } from "./udp-reliable.ts";
import { type UdpAddress, UdpSocket } from "./udp-socket.ts";

export interface SongUdpOptions {
  host: string;
  port: number;
  name: string;
  /** For a server that asks for one. Only the reliable protocol carries it, in plain text. */
  token?: string | undefined;
  /** Aborts the transfer; pending calls then throw the signal's reason. */
  signal?: AbortSignal;
  /** "auto", the default, asks for the reliable protocol and falls back to the older one. */
  reliable?: "auto" | "only" | "never";
  /** The song's size in bytes, if the caller knows it. The older protocol needs it to detect lost bytes. */
  size?: number;
}

/**
 * Requests a song, and resolves when it begins to arrive. Throws BAD_ARGUMENT, UNREACHABLE, ANSWER_TIMEOUT,
 * NO_RELIABLE_UDP; SONG_UNKNOWN, BUSY or REFUSED from the server. With the older protocol a song that does not exist has
 * 0 bytes. Reading the chunks throws CONNECTION_LOST, MISMATCH, READER_TOO_SLOW.
 */
export async function openSongUdp(options: SongUdpOptions): Promise<SongDownload> {
  const request = encodeSongName(options.name);
  if (request === undefined) {
    throw new ClientError("BAD_ARGUMENT", "the name of the song", "use 1 to 1024 bytes of UTF-8");
  }
  options.signal?.throwIfAborted();
  const addresses = await addressesOf(options);
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await openAt(address, request, options);
    } catch (error) {
      failure = error;
      // A host may have several addresses, such as ::1 and 127.0.0.1, and its server may listen on one of them.
      if (!(error instanceof ClientError) || error.code !== "UNREACHABLE") throw error;
    }
  }
  throw failure;
}

async function openAt(
  address: UdpAddress,
  request: Uint8Array,
  { name, token, signal, reliable = "auto", size }: SongUdpOptions,
): Promise<SongDownload> {
  if (reliable !== "never") {
    try {
      return await openReliable(await UdpSocket.connect(address), { name: songRequest(name, token), signal });
    } catch (error) {
      const isOld = error instanceof ClientError && error.code === "NO_RELIABLE_UDP";
      if (!isOld || reliable === "only") throw error;
    }
  }
  if (/\p{Cc}/u.test(name)) {
    throw new ClientError("BAD_ARGUMENT", "the name of the song", "older servers fail on control characters");
  }
  return await openPlain(await UdpSocket.connect(address), { request, size, signal });
}

async function addressesOf({ host, port }: SongUdpOptions): Promise<UdpAddress[]> {
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4, port }));
  } catch (error) {
    throw new ClientError(
      "UNREACHABLE",
      `${host} (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}
