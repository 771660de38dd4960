/** The operations on webhooks, for operators. */
import * as v from "valibot";
import { serverResource } from "../../../access/actions.ts";
import type { Hooks as EngineHooks, HookState } from "../../../engine/events/delivery/hooks.ts";
import type { DeliveryRow } from "../../../store/events/deliveries.ts";
import { json, type Operation, operation } from "../operation.ts";
import { whole } from "../parameters.ts";
import { countSchema, timeSchema } from "../schemas.ts";

export type Hooks = Pick<EngineHooks, "list" | "failed" | "replay" | "test">;

const tag = "events";
const access = { action: "admin", on: serverResource } as const;
const segments = { name: "The name of the webhook." };

const hookSchema = v.strictObject({
  name: v.string(),
  url: v.string(),
  /** Globs; empty for all. */
  types: v.string(),
  subjects: v.string(),
  /** Since the start of the server. */
  delivered: countSchema,
  failed: countSchema,
  dead: countSchema,
  missed: countSchema,
  /** Events that were read and not delivered yet. */
  pending: countSchema,
  /** All events up to this id are delivered, or noted as failed. */
  position: v.string(),
  /** The id of the node that delivers; null without one, and in a catalog of one node. */
  node: v.nullable(v.string()),
  /** The node that answers delivers; otherwise its figures stand still. */
  deliversHere: v.boolean(),
  lastError: v.nullable(v.string()),
});

const failedSchema = v.strictObject({
  id: v.string(),
  type: v.string(),
  subject: v.string(),
  time: timeSchema,
  attempts: countSchema,
  error: v.nullable(v.string()),
});

export function hookOperations(hooks: Hooks): Operation[] {
  return [listOperation(hooks), failedOperation(hooks), replayOperation(hooks), testOperation(hooks)];
}

function listOperation(hooks: Hooks): Operation {
  const schema = v.strictObject({ hooks: v.array(hookSchema) });
  return operation({
    method: "get",
    route: "/api/hooks",
    tag,
    access,
    summary: "Lists the webhooks, with what they have delivered.",
    parameters: {},
    answers: { 200: { description: "The webhooks.", schema } },
    errors: [],
    handle({ meter }) {
      return json({ hooks: hooks.list().map(describeHook) }, meter);
    },
  });
}

function failedOperation(hooks: Hooks): Operation {
  const schema = v.strictObject({ events: v.array(failedSchema) });
  return operation({
    method: "get",
    route: "/api/hooks/:name/failed",
    tag,
    access,
    segments,
    summary: "Lists the events that a webhook has given up, oldest first.",
    parameters: {},
    answers: { 200: { description: "The events.", schema } },
    errors: ["HOOK_UNKNOWN"],
    async handle({ path, meter }) {
      return json({ events: (await hooks.failed(path["name"]!)).map(describe) }, meter);
    },
  });
}

function replayOperation(hooks: Hooks): Operation {
  return operation({
    method: "post",
    route: "/api/hooks/:name/replay",
    tag,
    access,
    segments,
    summary: "Delivers the events again that a webhook has given up.",
    parameters: { id: whole(1, Number.MAX_SAFE_INTEGER, "Only the event with this id.") },
    answers: {
      200: { description: "How many there are.", schema: v.strictObject({ replayed: countSchema }) },
    },
    errors: ["HOOK_UNKNOWN"],
    async handle({ path, query, meter }) {
      return json({ replayed: await hooks.replay(path["name"]!, query.id) }, meter);
    },
  });
}

function testOperation(hooks: Hooks): Operation {
  const schema = v.strictObject({ delivered: v.boolean(), error: v.nullable(v.string()) });
  return operation({
    method: "post",
    route: "/api/hooks/:name/test",
    tag,
    access,
    segments,
    summary: "Sends a `server.started` with the id 0 to a webhook, and waits for its answer.",
    parameters: {},
    answers: { 200: { description: "Whether the receiver took it.", schema } },
    errors: ["HOOK_UNKNOWN"],
    async handle({ path, meter }) {
      const error = await hooks.test(path["name"]!);
      return json({ delivered: error === undefined, error: error ?? null }, meter);
    },
  });
}

function describeHook({ url, position, lastError, ...rest }: HookState): v.InferOutput<typeof hookSchema> {
  return { ...rest, url: withoutSecrets(url), position: String(position), lastError: lastError ?? null };
}

function describe({
  id,
  type,
  subject,
  at,
  attempts,
  error,
}: DeliveryRow): v.InferOutput<typeof failedSchema> {
  return { id: String(id), type, subject, time: new Date(at).toISOString(), attempts, error };
}

/** User, password and query often are credentials of the receiver. */
function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}
