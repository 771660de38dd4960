/** What a server says of its own state: its metrics, and whether it is ready. */
import * as v from "valibot";
import { ClientError } from "../errors.ts";
import { type ApiOptions, jsonOf, requestText, throwUnlessOk } from "./api.ts";
import { Exposition } from "./exposition.ts";

const missing = "NO_HTTP_API";

const unreadySchema = v.object({ reasons: v.array(v.object({ code: v.string(), message: v.string() })) });

/** Throws NO_HTTP_API if the server has no metrics, REFUSED if the caller may not see them. */
export async function readMetrics(options: ApiOptions): Promise<Exposition> {
  const { status, text } = await requestText(options, "GET", "/metrics");
  throwUnlessOk({ status, body: jsonOf(text) }, missing);
  try {
    return new Exposition(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new ClientError(missing, error.message);
    throw error;
  }
}

/** Whether its process answers. */
export async function isAlive(options: ApiOptions): Promise<boolean> {
  const { status, text } = await requestText(options, "GET", "/healthz");
  return status === 200 && text === "ok\n";
}

/** Codes of the reasons why the server is not ready; none if it is. */
export async function readReasons(options: ApiOptions): Promise<string[]> {
  const { status, text } = await requestText(options, "GET", "/readyz");
  if (status === 200) return [];
  const unready = v.safeParse(unreadySchema, jsonOf(text));
  return unready.success ? unready.output.reasons.map(({ code }) => code) : [`HTTP status ${status}`];
}
