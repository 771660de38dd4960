/** A table of a configuration file that has these keys and no other. */
import * as v from "valibot";
import { didYouMean } from "./did-you-mean.ts";

export function strictTable<const E extends v.ObjectEntries>(entries: E) {
  const keys = Object.keys(entries);
  return v.strictObject(entries, ({ expected, input }) => {
    if (expected === "never") return `one of the keys ${keys.join(", ")}${didYouMean(String(input), keys)}`;
    return expected === "Object" ? "a table" : `the key ${expected}`;
  });
}
