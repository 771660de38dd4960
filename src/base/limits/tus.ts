/** Limits of the tus protocol. */
import { messageTimeoutMs } from "./connections.ts";
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** Characters of an Upload-Metadata header; a longer one is refused with BAD_REQUEST. */
export const maxTusMetadataChars = 8 * KiB;
/**
 * A body with a checksum stays in memory until it is verified: none of it may become part of the upload otherwise. A longer
 * one is refused with CHECKED_TOO_LARGE, whose hint names this limit.
 */
export const maxCheckedBodyBytes = 8 * MiB;
/** Bodies with a checksum that are in memory at once; the next one waits unread. */
export const maxCheckedBodies = 8;
/** A body with a checksum must be complete after this long; later it gets MESSAGE_UNFINISHED. */
export const checkedBodyMs = 2 * messageTimeoutMs;
/** An upload stays open this long for the next request; after that it is interrupted, and opening it costs a hash. */
export const idleUploadMs = 5_000;
/** Uploads that stay open without a request; with one more the longest idle is interrupted. */
export const maxIdleUploads = 64;

mustHold("a checked body has as long as a message", checkedBodyMs >= messageTimeoutMs);
