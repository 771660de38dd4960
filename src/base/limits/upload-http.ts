/** Limits of uploads over plain HTTP. */
import { messageTimeoutMs } from "./connections.ts";
import { mustHold } from "./relation.ts";
import { KiB, MiB } from "./units.ts";

/** A sender that sends nothing for this long gets BODY_STALLED. The upload stays, unfinished. */
export const bodyIdleMs = 60_000;
/**
 * The server still takes, and discards, the rest of a refused body up to this length, as many clients read no answer
 * before they have sent everything. It closes the connection instead if the body is longer, or of unknown length.
 */
export const maxDiscardedBodyBytes = 64 * MiB;

/** Files, and other fields, of one form; with more it is refused with FORM_TOO_LARGE, and keeps the files before. */
export const maxFormFiles = 256;
export const maxFormFields = 256;
/** Fields that are no files are not used; the rest of a longer one is skipped. */
export const maxFormFieldBytes = 1 * KiB;
/** The headers of one part; the rest of longer ones is skipped. */
export const maxPartHeaderBytes = 8 * KiB;

mustHold("a slow upload has as long as a slow message", bodyIdleMs >= messageTimeoutMs);
