/** X-HTTP-Method-Override of tus: clients behind proxies that refuse PATCH and DELETE send a POST that names them. */

const paths = "/api/tus/";
const overridable: ReadonlySet<string> = new Set(["PATCH", "DELETE"]);

/** The method that a request means. */
export function methodOf({ method, headers }: Pick<Request, "method" | "headers">, path: string): string {
  if (method !== "POST" || !path.startsWith(paths)) return method;
  const override = headers.get("x-http-method-override")?.toUpperCase();
  return override !== undefined && overridable.has(override) ? override : method;
}
