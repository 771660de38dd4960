/** Retention policies as an option states them, in one text or as tables of a configuration file. */
import * as v from "valibot";
import { strictTable } from "./strict-table.ts";
import { durationExpected, parseDuration } from "../base/duration.ts";
import { maxKeptNewest, maxPolicies } from "../base/limits/retention.ts";
import { kindOfPattern, Policy, type PolicySettings } from "../engine/retention/policy.ts";
import { parseKept, size, wholeNumber } from "./values.ts";

const modes = ["evict", "expire", "refuse"] as const;
const patternExpected = "a pattern of streams or recordings, such as streams/radio-* or recordings/kitchen";
const refuseExpected = "evict or expire: recordings are never refused";

const duration = v.pipe(
  v.string(durationExpected),
  v.check((text) => parseDuration(text) !== undefined, durationExpected),
  v.transform((text) => parseDuration(text)!),
);

const policyTable = v.pipe(
  strictTable({
    pattern: v.pipe(
      v.string(),
      v.check((pattern) => kindOfPattern(pattern) !== undefined, patternExpected),
    ),
    mode: v.optional(v.picklist(modes, `one of ${modes.join(", ")}`), "evict"),
    "max-bytes": v.optional(size),
    "max-age": v.optional(duration),
    "min-free": v.optional(size),
    "keep-newest": v.optional(wholeNumber(1, maxKeptNewest)),
    "keep-last": v.optional(duration),
  }),
  v.check(
    ({ pattern, mode }) => kindOfPattern(pattern) !== "recordings" || mode !== "refuse",
    refuseExpected,
  ),
  v.transform((table): PolicySettings => {
    const [newest, lastMs] = [table["keep-newest"], table["keep-last"]];
    return {
      pattern: table.pattern,
      mode: table.mode,
      maxBytes: table["max-bytes"],
      maxAgeMs: table["max-age"],
      minFreeBytes: table["min-free"],
      keepAtLeast: newest === undefined && lastMs === undefined ? undefined : { newest, lastMs },
    };
  }),
);

/** Tables with the keys `pattern`, `mode`, `max-bytes`, `max-age`, `min-free`, `keep-newest` and `keep-last`. */
export const policyTables = v.pipe(
  v.array(policyTable),
  v.maxLength(maxPolicies, `up to ${maxPolicies} policies`),
);

const policiesExpected =
  `up to ${maxPolicies} policies separated by semicolons, each as PATTERN MODE KEPT, ` +
  'such as "streams/radio-* evict 50GiB,30d"';

/** The usual part of a policy in one text: what else it may say needs a configuration file. */
export const policies = v.pipe(
  v.string(policiesExpected),
  v.transform((given) =>
    given
      .split(";")
      .filter((entry) => entry.trim() !== "")
      .map(parsePolicy),
  ),
  v.check((parsed) => parsed.length <= maxPolicies && !parsed.includes(undefined), policiesExpected),
  v.transform((parsed) => parsed.filter((policy) => policy !== undefined)),
);

function parsePolicy(entry: string): PolicySettings | undefined {
  const [pattern = "", given, amount = "", ...rest] = entry.trim().split(/\s+/);
  const mode = modes.find((each) => each === given);
  const kept = parseKept(amount);
  if (mode === undefined || kept === undefined || rest.length > 0) return undefined;
  try {
    return new Policy({ pattern, mode, ...kept }).settings;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
