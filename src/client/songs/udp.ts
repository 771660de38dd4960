/**
 * A song by name over UDP: by the reliable protocol where the server speaks it, else by the old one. An old server takes
 * the reliable request for a name that it does not have, and says so with an empty datagram.
 */
import { lookup } from "node:dns/promises";
import { encodeSongName } from "../../wire/song-name.ts";
import { ClientError } from "../errors.ts";
import type { SongDownload } from "./song.ts";
import { openPlain } from "./udp-plain.ts";
import { openReliable } from "./udp-reliable.ts";
import { type UdpAddress, UdpSocket } from "./udp-socket.ts";

export interface SongUdpOptions {
  host: string;
  port: number;
  name: string;
  /** Ends the transfer at once; what waits then throws the signal's reason. */
  signal?: AbortSignal;
  /** "auto" tries the reliable protocol and falls back to the old one. */
  reliable?: "auto" | "only" | "never";
  /** Bytes of the song, if the caller knows: the old protocol does not say, and so not whether bytes were lost. */
  size?: number;
}

/**
 * Asks for a song; resolves once it begins to come. Rejects with BAD_ARGUMENT, UNREACHABLE, ANSWER_TIMEOUT,
 * NO_RELIABLE_UDP; SONG_UNKNOWN, BUSY or REFUSED where the server says so. By the old protocol a song that is not there
 * is one of 0 bytes. Reading the chunks throws CONNECTION_LOST, MISMATCH, READER_TOO_SLOW.
 */
export async function openSongUdp(options: SongUdpOptions): Promise<SongDownload> {
  const request = encodeSongName(options.name);
  if (request === undefined)
    throw new ClientError("BAD_ARGUMENT", "the name of the song", "it takes 1 to 1024 bytes of UTF-8");
  options.signal?.throwIfAborted();
  const addresses = await addressesOf(options);
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await openAt(address, request, options);
    } catch (error) {
      failure = error;
      // A name may stand for several addresses, such as both families of localhost; a server may listen on one.
      if (!(error instanceof ClientError) || error.code !== "UNREACHABLE") throw error;
    }
  }
  throw failure;
}

async function openAt(
  address: UdpAddress,
  request: Uint8Array,
  { name, signal, reliable = "auto", size }: SongUdpOptions,
): Promise<SongDownload> {
  if (reliable !== "never") {
    try {
      return await openReliable(await UdpSocket.connect(address), { name, signal });
    } catch (error) {
      const isOld = error instanceof ClientError && error.code === "NO_RELIABLE_UDP";
      if (!isOld || reliable === "only") throw error;
    }
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
