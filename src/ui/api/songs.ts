/** The songs of the library: listing, uploading and removing them. */
import { addressOf } from "../app/address.ts";
import { reportLost } from "../app/connection.ts";
import { ApiError, errorOf, request, requestJson, withQuery } from "./request.ts";
import type { Song } from "./resources.ts";

const pageSongs = 1000;

export async function listSongs(signal: AbortSignal): Promise<Song[]> {
  const all: Song[] = [];
  let after: string | undefined;
  do {
    const path = withQuery("api/library", { limit: pageSongs, after });
    const page = await requestJson<{ songs: Song[]; next: string | null }>(path, { signal });
    all.push(...page.songs);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return all;
}

export interface SongSending {
  name: string;
  file: Blob;
  /** Replaces the song that has the name. */
  replace: boolean;
  signal: AbortSignal;
  onProgress: (sentBytes: number) => void;
}

/** Resolves once the song is durable. Throws `ApiError`, with SONG_EXISTS for a name that is taken. */
export async function putSong({ name, file, replace, signal, onProgress }: SongSending): Promise<void> {
  // `fetch` does not tell how much of a body is sent.
  const sending = new XMLHttpRequest();
  sending.open("PUT", addressOf(pathOf(name)));
  if (replace) sending.setRequestHeader("if-match", "*");
  sending.upload.addEventListener("progress", ({ loaded }) => onProgress(loaded));
  const over = new Promise<void>((resolve) => sending.addEventListener("loadend", () => resolve()));
  const stop = () => sending.abort();
  signal.addEventListener("abort", stop);
  sending.send(file);
  await over;
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (sending.status === 0) {
    reportLost("lost");
    throw new ApiError("LOST", "the server does not answer", "Try again when it is back.");
  }
  if (sending.status < 200 || sending.status > 299)
    throw await errorOf(new Response(sending.responseText, { status: sending.status }));
}

/** Also as the page closes. */
export async function removeSong(name: string): Promise<void> {
  await request(pathOf(name), { method: "DELETE", keepalive: true });
}

function pathOf(name: string): string {
  return `api/library/${encodeURIComponent(name)}`;
}
