/** The values of the options that name the catalog. */
import * as v from "valibot";
import type { CatalogAddress } from "../store/kept-catalog.ts";

const urlExpected =
  "postgres:// with a host and a database, such as postgres://wavecache@db.example/wavecache; the password goes into a file";

/** Undefined for an empty text. A password in an option could be seen by everybody on the machine. */
export const catalogUrl = v.pipe(
  v.string(),
  v.check((given) => given === "" || isCatalogUrl(given), urlExpected),
  v.transform((given) => (given === "" ? undefined : given)),
);

function isCatalogUrl(given: string): boolean {
  if (!/^postgres(?:ql)?:\/\/[^/]/.test(given) || !URL.canParse(given)) return false;
  const { password, pathname, searchParams, hash } = new URL(given);
  return password === "" && !searchParams.has("password") && hash === "" && /^\/[^/]+$/.test(pathname);
}

/** Null for a catalog in the cache folder. */
export function catalogAddress(
  url: string | undefined,
  passwordFile: string | undefined,
): CatalogAddress | null {
  return url === undefined ? null : { url, passwordFile };
}
