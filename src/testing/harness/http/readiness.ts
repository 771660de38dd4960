/** A client of `/readyz`. */
import * as v from "valibot";
import type { TestServer } from "../server.ts";

const unreadySchema = v.strictObject({
  ready: v.literal(false),
  reasons: v.array(v.strictObject({ code: v.string(), message: v.string() })),
});

/** Codes of the reasons why the server is not ready; none if it is. */
export async function readiness(server: TestServer): Promise<string[]> {
  const response = await fetch(`${server.httpBase}/readyz`);
  if (response.status === 200) return [];
  if (response.status !== 503) throw new Error(`/readyz: status ${response.status}`);
  return v.parse(unreadySchema, await response.json()).reasons.map(({ code }) => code);
}
