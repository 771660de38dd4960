/** Limits of uploads over plain HTTP. */
import { messageTimeoutMs } from "./connections.ts";
import { mustHold } from "./relation.ts";
import { MiB } from "./units.ts";

/** A sender that sends nothing for this long gets BODY_STALLED. The upload stays, unfinished. */
export const bodyIdleMs = 60_000;
/**
 * The server still takes, and discards, the rest of a refused body up to this length, as many clients read no answer
 * before they have sent everything. It closes the connection instead if the body is longer, or of unknown length.
 */
export const maxDiscardedBodyBytes = 64 * MiB;

mustHold("a slow upload has as long as a slow message", bodyIdleMs >= messageTimeoutMs);
