/** Hides what a configuration may hold of secrets: it is printed, logged and pasted into bug reports. */
import type { Name } from "../schema.ts";

/** The address of a webhook is often the secret itself, and URLs may hold passwords. */
const holdUrls: ReadonlySet<Name> = new Set<Name>(["hook", "jwtJwks"]);
const hidden = "...";

export function withoutSecrets(name: Name, given: unknown): unknown {
  if (holdUrls.has(name)) return withoutPaths(given);
  return name === "onEvent" ? withoutArguments(given) : given;
}

/** `https://host/...` of each URL. */
function withoutPaths(given: unknown): unknown {
  if (typeof given === "string")
    return given.replaceAll(/([a-z]+:\/\/)(?:[^\s/?#;]*@)?([^\s/?#;]*)[^\s;]*/g, `$1$2/${hidden}`);
  if (Array.isArray(given)) return given.map(withoutPaths);
  if (typeof given !== "object" || given === null) return given;
  return Object.fromEntries(Object.entries(given).map(([key, value]) => [key, withoutPaths(value)]));
}

/** The program without its arguments. */
function withoutArguments(given: unknown): unknown {
  if (Array.isArray(given)) return given.map((part, index) => (index === 0 ? part : hidden));
  const isList = typeof given === "string" && given.startsWith("[");
  return isList ? JSON.stringify(withoutArguments(JSON.parse(given))) : given;
}
