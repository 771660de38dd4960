/**
 * Access to songs by name, over protocols that have no place for a credential but the name:
 *
 *     NAME    NAME?token=TOKEN    NAME?link=LINK    LINK
 *
 * A song is a file of the library, or a stream; the grants of the two differ.
 */
import { resourceOf } from "./actions.ts";
import type { Credentials } from "./credentials.ts";
import { resourceOfLink } from "./links.ts";
import type { Principal } from "./principal.ts";

export interface SongRequest {
  name: string;
  credentials: Credentials;
}

const withCredential = /^(.+)\?(token|link)=([^?&=]+)$/s;
const songFolder = /^(?:streams|library)\//;

/** Splits what a client sent. A link names its song itself. */
export function readSongRequest(text: string): SongRequest {
  const [, name, kind, value] = withCredential.exec(text) ?? [];
  if (name !== undefined) return { name, credentials: kind === "link" ? { link: value } : { secret: value } };
  const linked = resourceOfLink(text);
  if (linked === undefined || !songFolder.test(linked)) return { name: text, credentials: {} };
  return { name: linked.replace(songFolder, ""), credentials: { link: text } };
}

/** Where a song of this name may be read from. */
export type MayReadSong = (folder: "library" | "streams") => boolean;

/** Throws SONG_UNKNOWN or UNAUTHENTICATED if the principal may read no song of this name. */
export function songReading(principal: Principal, name: string): MayReadSong {
  const mayRead: MayReadSong = (folder) => principal.may("read", resourceOf(folder, name));
  if (!mayRead("streams")) principal.require("read", resourceOf("library", name), "SONG_UNKNOWN");
  return mayRead;
}
