/**
 * The states of an upload.
 *
 *     starting --> open --> sealing --> sealed --> committing --> finished
 *         '---------'----------'---------'-------------'-------------'--> ended, with a reason
 *
 * `finish` leads from `starting` or `open` to `sealing`. An upload that has ended keeps what is in its file, unless it
 * was discarded or too large, and can be resumed.
 */
import type { WavecacheError } from "../../base/errors.ts";

/** Proof that a stream is durable: its size in bytes, and its SHA-256 in lower-case hex. */
export interface Receipt {
  size: number;
  sha256: string;
}

/** Why an upload ends without a receipt. */
export type EndReason =
  /** The catalog did not enter the id: it is in use, or the catalog failed. */
  | "refused"
  /** The sender has gone, or the server shuts down. */
  | "left"
  /** The sender wants the stream removed. */
  | "discarded"
  /** The stream is over its limit. A new one could never be finished, and is removed; a resumed one keeps what it had. */
  | "tooLarge"
  /** Another connection resumes the stream. */
  | "evicted"
  /** A limit, a writer or the disk. */
  | "failed"
  /** The writer's thread died. A sealed file does not need it any more. */
  | "lost"
  /** The commit failed. */
  | "uncommitted"
  /** Audio arrived after the end; the stream keeps what it has. */
  | "late";

export type UploadState =
  | { readonly name: "starting" | "open" | "sealing" | "sealed" | "committing" }
  | { readonly name: "finished"; readonly receipt: Receipt }
  | { readonly name: "ended"; readonly reason: EndReason; readonly error: WavecacheError };

type EndableState = Exclude<UploadState["name"], "ended">;

/** The states that each reason ends. In the others the upload continues. */
export const endableStates: Record<EndReason, readonly EndableState[]> = {
  refused: ["starting", "sealing", "sealed"],
  left: ["starting", "open"],
  discarded: ["starting", "open"],
  tooLarge: ["starting", "open"],
  evicted: ["starting", "open"],
  failed: ["starting", "open", "sealing", "sealed"],
  lost: ["starting", "open", "sealing"],
  uncommitted: ["committing"],
  late: ["sealing", "sealed", "finished"],
};
