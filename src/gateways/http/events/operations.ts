/** The operations on events: as a stream of server-sent events, and what types there are. */
import { toJsonSchema } from "@valibot/to-json-schema";
import * as v from "valibot";
import type { Action } from "../../../access/actions.ts";
import { serverResource } from "../../../access/actions.ts";
import type { Principal } from "../../../access/principal.ts";
import { ParameterError, WavecacheError } from "../../../base/errors.ts";
import { maxEventReaders, maxReplayedEvents } from "../../../base/limits/events.ts";
import { cloudEvent } from "../../../engine/events/cloud-event.ts";
import { EventFilter } from "../../../engine/events/event-filter.ts";
import type { EventLog } from "../../../engine/events/event-log.ts";
import { EventReader } from "../../../engine/events/event-reader.ts";
import type { EventRow } from "../../../store/events/outbox.ts";
import { eventTypeNames, eventTypes } from "../../../store/events/types.ts";
import { streamFrom } from "../audio/body.ts";
import { json, type Operation, operation } from "../operation.ts";
import { choice, type Parameter, text, whole } from "../parameters.ts";
import { EventBody } from "./event-body.ts";

export type Events = Pick<EventLog, "page" | "watch" | "newest" | "beforeNewest">;

const tag = "events";
const lastEventId = "last-event-id";
const headers = { "content-type": "text/event-stream;charset=utf-8", "cache-control": "no-store" };

export function eventOperations(events: Events): Operation[] {
  return [streamOperation(events), typesOperation()];
}

function streamOperation(log: Events): Operation {
  let readers = 0;
  return operation({
    method: "get",
    route: "/api/events",
    tag,
    access: "open",
    summary: "Sends events as they happen, as server-sent events whose data are CloudEvents 1.0 in JSON.",
    headers: { [lastEventId]: "Continues after the event with this id, as EventSource does by itself." },
    parameters: {
      type: text("Only events of these types: globs separated by commas, such as recording.*"),
      subject: text("Only events about these subjects: globs separated by commas, such as streams/a-*"),
      after: position,
      last: whole(
        1,
        maxReplayedEvents,
        "Begins so many events before the newest, instead of with what happens next.",
      ),
      follow: choice(
        ["0", "1"],
        "0 ends the answer after the events that there are; it begins with the oldest.",
      ),
    },
    answers: { 200: { description: "Events.", content: ["text/event-stream"] } },
    errors: ["UNAUTHENTICATED", "FORBIDDEN", "EVENTS_EXHAUSTED"],
    async handle({ request, query, connection, principal, meter }) {
      requireSome(principal);
      if (request.method === "HEAD") return new Response(null, { headers });
      const filter = filterOf(query.type, query.subject);
      const follows = query.follow !== "0";
      const named = positionOf(request.headers.get(lastEventId)) ?? query.after;
      const after = named ?? (await startOf(log, query.last, follows));
      if (readers >= maxEventReaders) throw new WavecacheError("EVENTS_EXHAUSTED");
      const isWanted = (event: EventRow) => filter.matches(event) && maySee(principal, event);
      const body = new EventBody({
        reader: new EventReader(log, after, isWanted),
        connection,
        newest: () => log.newest,
        follows,
        format: cloudEvent,
        onClose: () => (readers -= 1),
      });
      readers += 1;
      const end = () => body.close();
      principal.ended.addEventListener("abort", end, { once: true });
      request.signal.addEventListener("abort", end, { once: true });
      return new Response(await streamFrom(body, meter), { headers });
    },
  });
}

/** The event after which a reader begins who names none. */
async function startOf(log: Events, last: number | undefined, follows: boolean): Promise<number> {
  if (last !== undefined) return await log.beforeNewest(last);
  return follows ? log.newest : 0;
}

const position: Parameter<number | undefined> = {
  ...whole(0, Number.MAX_SAFE_INTEGER, "Begins after the event with this id; 0 is the oldest that is kept."),
};

/** A header that is no id is of another server: the client gets what is new. */
function positionOf(header: string | null): number | undefined {
  if (header === null || !/^\d{1,16}$/.test(header)) return undefined;
  return Math.min(Number(header), Number.MAX_SAFE_INTEGER);
}

function filterOf(types: string | undefined, subjects: string | undefined): EventFilter {
  parsed("type", () => new EventFilter(types));
  return parsed("subject", () => new EventFilter(types, subjects));
}

function parsed(parameter: string, parse: () => EventFilter): EventFilter {
  try {
    return parse();
  } catch (error) {
    if (error instanceof RangeError) throw new ParameterError(parameter, error.message);
    throw error;
  }
}

/** What concerns no resource is for those who may read the metrics. */
const serverAction: Action = "metrics";
const folders = ["streams", "recordings", "devices"] as const;

function maySee(principal: Principal, { subject }: EventRow): boolean {
  if (folders.some((folder) => subject.startsWith(`${folder}/`))) return principal.may("list", subject);
  return principal.may(serverAction, serverResource);
}

/** Throws why the principal may see no event at all. */
function requireSome(principal: Principal): void {
  if (principal.may(serverAction, serverResource)) return;
  if (!folders.some((folder) => principal.maySome("list", folder))) principal.requireSome("list", "streams");
}

const typesSchema = v.strictObject({
  types: v.array(
    v.strictObject({
      type: v.string(),
      description: v.string(),
      subject: v.string(),
      /** JSON Schema of the data. */
      data: v.record(v.string(), v.unknown()),
    }),
  ),
});

function typesOperation(): Operation {
  const types = eventTypeNames.map((type) => {
    const { description, subject, data } = eventTypes[type];
    return { type, description, subject, data: toJsonSchema(data) };
  });
  return operation({
    method: "get",
    route: "/api/events/types",
    tag,
    access: "open",
    summary: "Lists the types of events, with the schema of their data.",
    parameters: {},
    answers: { 200: { description: "The types.", schema: typesSchema } },
    errors: [],
    handle: ({ meter }) => json({ types }, meter),
  });
}
