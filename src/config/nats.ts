/** The values of the options of NATS. */
import * as v from "valibot";
import { maxBusPrefixChars } from "../base/limits/bus.ts";

const urlsExpected =
  "nats:// or tls:// URLs with a host, and a port if it is not the usual one, between commas; user and password go into a file";

/** Undefined for an empty text. A password in an option could be seen by everybody on the machine. */
export const natsUrls = v.pipe(
  v.string(),
  v.transform((given) => (given === "" ? [] : given.split(",").map((url) => url.trim()))),
  v.check((urls) => urls.every(isNatsUrl), urlsExpected),
  v.transform((urls) => (urls.length === 0 ? undefined : urls)),
);

function isNatsUrl(given: string): boolean {
  if (!/^(?:nats|tls):\/\/[^/]/.test(given) || !URL.canParse(given)) return false;
  const { username, password, pathname, search, hash } = new URL(given);
  return `${username}${password}${search}${hash}` === "" && (pathname === "" || pathname === "/");
}

/** Tokens of a subject, without wildcards. */
export const natsPrefix = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/, "tokens between dots, such as wavecache.home"),
  v.maxLength(maxBusPrefixChars, `up to ${maxBusPrefixChars} characters`),
);
