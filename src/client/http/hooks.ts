/** The webhooks of a server, over its HTTP API. */
import * as v from "valibot";
import { type ApiOptions, parsed, request, throwUnlessOk } from "./api.ts";

const missing = "NO_HOOKS";

const hookSchema = v.object({
  name: v.string(),
  url: v.string(),
  delivered: v.number(),
  failed: v.number(),
  dead: v.number(),
  pending: v.number(),
  /** Servers of one node have none. */
  node: v.nullish(v.string()),
  deliversHere: v.optional(v.boolean(), true),
  lastError: v.nullable(v.string()),
});

const failedSchema = v.object({
  id: v.string(),
  type: v.string(),
  subject: v.string(),
  time: v.string(),
  attempts: v.number(),
  error: v.nullable(v.string()),
});

const testSchema = v.object({ delivered: v.boolean(), error: v.nullable(v.string()) });

export type ListedHook = v.InferOutput<typeof hookSchema>;
export type FailedEvent = v.InferOutput<typeof failedSchema>;
export type HookTest = v.InferOutput<typeof testSchema>;

/** All four throw NO_HOOKS if the server has no webhooks in its API. */
export async function listHooks(options: ApiOptions): Promise<ListedHook[]> {
  const schema = v.object({ hooks: v.array(hookSchema) });
  return (await ask(options, "GET", "", schema)).hooks;
}

/** The events that the webhook has given up, oldest first. */
export async function failedEvents(options: ApiOptions, name: string): Promise<FailedEvent[]> {
  const schema = v.object({ events: v.array(failedSchema) });
  return (await ask(options, "GET", `/${encodeURIComponent(name)}/failed`, schema)).events;
}

/** Resolves with how many events are delivered again: all, or the one with this id. */
export async function replayEvents(options: ApiOptions, name: string, id?: string): Promise<number> {
  const query = id === undefined ? "" : `?id=${encodeURIComponent(id)}`;
  const path = `/${encodeURIComponent(name)}/replay${query}`;
  return (await ask(options, "POST", path, v.object({ replayed: v.number() }))).replayed;
}

export async function testHook(options: ApiOptions, name: string): Promise<HookTest> {
  return await ask(options, "POST", `/${encodeURIComponent(name)}/test`, testSchema);
}

async function ask<T extends v.GenericSchema>(
  options: ApiOptions,
  method: string,
  path: string,
  schema: T,
): Promise<v.InferOutput<T>> {
  const answer = await request(options, method, `/api/hooks${path}`);
  throwUnlessOk(answer, missing);
  return parsed(schema, answer.body, missing);
}
