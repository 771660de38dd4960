/** Limits of retention: what is removed to make room, and how fast. */
import { mustHold } from "./relation.ts";
import { MiB } from "./units.ts";

/** Removal starts when this part of a limit is used, so that there is room before it is needed. */
export const retentionStart = 0.9;
/** An upload that needs room waits for it this long, then fails with CACHE_FULL. */
export const roomWaitMs = 1_000;
/** Interval at which the limits are compared with what is stored. */
export const retentionTickMs = 100;
/** Interval at which ages are looked at, and the bytes of patterns that cover a part of the streams are counted anyway. */
export const retentionPassMs = 60_000;
/** What patterns cover is counted again when something was stored or removed, but not for this many times what a count took. */
export const retentionRecountRest = 20;
/** A run that could not make the room that was needed is not repeated for this long. */
export const retentionPauseMs = 100;
/**
 * Streams or recordings that are removed in one transaction. A commit waits for one of these: with 32 the p99 of uploads
 * was half as long again during removals, with 8 a tenth.
 */
export const maxRemovedTogether = 8;
/** A batch ends with the stream that reaches this: unlinking long files takes a file system a while. */
export const maxRemovedBytesTogether = 256 * MiB;
/** After a batch a run rests this many times as long as the batch took, unless an upload waits for room. */
export const retentionRestFactor = 4;
/** Rows that a run asks the catalog for at a time. */
export const retentionPageRows = 200;
/** A stream that was read within this time is being read: a client may be between two of its requests. */
export const readRecencyMs = 10_000;
/** Read times that are not in the catalog yet are written at this interval; a crash loses no more than these. */
export const readTimesFlushMs = 30_000;
/** Read times in memory; one more has them written at once. */
export const maxReadTimes = 4096;
/** An object with more streams than this counts as one with as many: a plan then frees it too early. */
export const maxCountedSharers = 1_000;
/** The newest that a policy can keep. */
export const maxKeptNewest = 10_000;
/** Policies of a configuration; one more refuses the start. Each may need a count of what it matches in a pass. */
export const maxPolicies = 32;
/** Removals that a plan looks for; a longer plan says that it is incomplete. */
export const maxPlanned = 100_000;
/** Removals in one answer; the figures of the answer cover the whole plan. */
export const maxListedRemovals = 1_000;
/** Pinned ranges of time of all devices; one more is refused with PINS_EXHAUSTED. */
export const maxPinnedRanges = 1_000;
/** Usage is remembered at this interval, and for this long, for the growth per day. */
export const usageSampleMs = 3_600_000;
export const usageHistoryMs = 7 * 24 * 3_600_000;
/** No forecast before usage was observed for this long. */
export const minForecastMs = 3_600_000;

mustHold("removal starts below the limit", retentionStart < 1);
mustHold("read times are written before they matter", maxReadTimes >= maxRemovedTogether);
