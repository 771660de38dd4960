/** The values of the options of traces. */
import * as v from "valibot";

const urlExpected = "http:// or https:// with a host, and a port if it is not the usual one";

/** Undefined for an empty text. */
export const collectorUrl = v.pipe(
  v.string(),
  v.check((given) => given === "" || isHttpUrl(given), urlExpected),
  v.transform((given) => (given === "" ? undefined : given)),
);

/** A password in an option could be seen by everybody on the machine. */
function isHttpUrl(given: string): boolean {
  if (!/^https?:\/\/[^/]/.test(given) || !URL.canParse(given)) return false;
  const { username, password, search, hash } = new URL(given);
  return `${username}${password}${search}${hash}` === "";
}

const ratioExpected = "a number from 0 to 1";
const range = [
  v.minValue<number, 0, string>(0, ratioExpected),
  v.maxValue<number, 1, string>(1, ratioExpected),
] as const;

export const ratio = v.union(
  [
    v.pipe(v.number(), ...range),
    v.pipe(v.string(), v.regex(/^\d(?:\.\d+)?$/, ratioExpected), v.transform(Number), ...range),
  ],
  ratioExpected,
);
