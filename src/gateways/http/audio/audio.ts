/** Audio that HTTP serves: its description for clients, and how its bytes are read. */
import { reprDigest } from "../upload/digests.ts";
import { contentDisposition } from "./disposition.ts";
import { formatHttpDate } from "./http-date.ts";
import { extensionOf, unknownMediaType } from "./media-type.ts";
import type { Validators } from "./conditions.ts";

export interface AudioDescription extends Validators {
  /** In bytes. While the audio grows, what can be read now. */
  size: number;
  /** The size is not the final one. */
  isGrowing: boolean;
  mediaType: string;
  /** Any text, or undefined if the audio has no name of its own; `id` then names its file. */
  name: string | undefined;
  id: string;
  /** Of all of it, in lower-case hex; undefined if it is not known. */
  sha256: string | undefined;
  cacheControl: string;
}

/** Open audio. */
export interface AudioFile {
  /**
   * Reads exactly these bytes; rejects if they are not there, or not right. May read to the beginning of `into`, which saves
   * an allocation.
   */
  read(offset: number, length: number, into?: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** Bytes to read at once for a long answer; `audioPieceBytes` if undefined. */
  readonly pieceBytes?: number;
  /** Opens a range that can be sent as it is in its file; undefined if it has to be read. */
  openRange(offset: number, length: number): Promise<FileRange | undefined>;
  close(): Promise<void>;
}

/** A file whose bytes in the range are right. */
export interface FileRange {
  /** Leads to the file until `close`, whatever happens to its name. Whoever has opened it by then may read on. */
  path: string;
  /** The file never changes. */
  isImmutable: boolean;
  close(): Promise<void>;
}

/** The headers of every answer that is, or would be, the audio; those that depend on the range come on top. */
export function audioHeaders(audio: AudioDescription, download: boolean): Record<string, string> {
  const { mediaType, sha256, isGrowing } = audio;
  const kind = download || mediaType === unknownMediaType ? "attachment" : "inline";
  return {
    ...validatorHeaders(audio),
    "content-type": mediaType,
    "content-disposition": contentDisposition(kind, fileName(audio), audio.id),
    "accept-ranges": "bytes",
    ...(sha256 === undefined || isGrowing ? {} : { "repr-digest": reprDigest(sha256) }),
  };
}

/** The headers of an answer that says that a cached copy is still right. */
export function validatorHeaders({ etag, lastModified, cacheControl }: AudioDescription) {
  // A date in the future, left by a clock that was wrong, would never be a valid one (RFC 9110, section 8.8.2.1).
  const isPast = lastModified !== undefined && lastModified <= Date.now();
  return {
    "cache-control": cacheControl,
    ...(etag === undefined ? {} : { etag }),
    ...(isPast ? { "last-modified": formatHttpDate(lastModified) } : {}),
  };
}

function fileName({ name, id, mediaType }: AudioDescription): string {
  if (name !== undefined) return name;
  const extension = extensionOf(mediaType);
  return extension === undefined || id.endsWith(`.${extension}`) ? id : `${id}.${extension}`;
}
