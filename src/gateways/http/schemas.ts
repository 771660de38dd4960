/** Parts of the API's JSON that several operations share. */
import * as v from "valibot";

/** A time in ISO 8601, in UTC and to the millisecond. */
export const timeSchema = v.pipe(v.string(), v.isoTimestamp());

/** RFC 3339 in UTC and to the microsecond. */
export const exactTimeSchema = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/));

export const sha256Schema = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** A count of bytes, samples or frames. */
export const countSchema = v.pipe(v.number(), v.integer(), v.minValue(0));

export const errorSchema = v.strictObject({
  error: v.strictObject({
    code: v.string(),
    message: v.string(),
    hint: v.string(),
    /** The query parameter that caused the error. */
    parameter: v.optional(v.string()),
    /** The time that the error is about. */
    at: v.optional(v.string()),
  }),
});
