/** Webhooks as an option states them, in one text or as tables of a configuration file. */
import * as v from "valibot";
import { strictTable } from "./strict-table.ts";
import { maxHooks } from "../base/limits/events.ts";
import type { HookSettings } from "../engine/events/delivery/hooks.ts";
import { EventFilter } from "../engine/events/event-filter.ts";

const hooksExpected =
  `up to ${maxHooks} webhooks separated by semicolons, each as URL or NAME=URL, followed by globs of types and of ` +
  "subjects, such as https://x.example/y stream.* streams/a-*";

export const hooks = v.pipe(
  v.string(hooksExpected),
  v.transform((given) => parseHooks(given)),
  v.custom<HookSettings[]>((parsed) => parsed !== undefined, hooksExpected),
);

/** Undefined if one of them is wrong, or if two have the same name. */
function parseHooks(given: string): HookSettings[] | undefined {
  const entries = given.split(";").filter((entry) => entry.trim() !== "");
  const parsed = entries.map(parseHook).filter((hook) => hook !== undefined);
  const names = new Set(parsed.map(({ name }) => name));
  return names.size === entries.length && names.size <= maxHooks ? parsed : undefined;
}

function parseHook(entry: string): HookSettings | undefined {
  const [where = "", types, subjects, ...rest] = entry.trim().split(/\s+/);
  const [, name, url = ""] = /^(?:([A-Za-z0-9_-]{1,64})=)?(https?:\/\/.*)$/.exec(where) ?? [];
  const filter = eventFilter(types, subjects);
  if (!URL.canParse(url) || filter === undefined || rest.length > 0) return undefined;
  return { name: name ?? new URL(url).hostname, url, filter };
}

/** Undefined for globs that are wrong. */
function eventFilter(types: string | undefined, subjects?: string): EventFilter | undefined {
  try {
    return new EventFilter(types === "*" ? "" : types, subjects);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export const eventTypes = v.pipe(
  v.string(),
  v.transform((given) => eventFilter(given)),
  v.custom<EventFilter>((filter) => filter !== undefined, "globs of types of events, such as stream.*"),
);

const globs = v.optional(
  v.union(
    [
      v.string(),
      v.pipe(
        v.array(v.string()),
        v.transform((parts) => parts.join(",")),
      ),
    ],
    "globs",
  ),
);

const hookTable = v.pipe(
  strictTable({
    name: v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "a name of letters, digits, - and _")),
    ),
    url: v.pipe(
      v.string(),
      v.check((url) => /^https?:/.test(url) && URL.canParse(url), "an http or https URL"),
    ),
    types: globs,
    subjects: globs,
  }),
  v.rawTransform(({ dataset, addIssue, NEVER }): HookSettings => {
    const { name, url, types, subjects } = dataset.value;
    const filter = eventFilter(types, subjects);
    if (filter !== undefined) return { name: name ?? new URL(url).hostname, url, filter };
    addIssue({ message: "globs of types and subjects, such as stream.* and streams/a-*" });
    return NEVER;
  }),
);

/** The same as tables with the keys `name`, `url`, `types` and `subjects`. */
export const hookTables = v.pipe(
  v.array(hookTable),
  v.maxLength(maxHooks, `up to ${maxHooks} webhooks`),
  v.check(
    (all) => new Set(all.map(({ name }) => name)).size === all.length,
    "webhooks with different names: without a name a webhook has that of its host",
  ),
);
