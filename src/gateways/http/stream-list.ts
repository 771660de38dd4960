/** Lists and searches streams. */
import * as v from "valibot";
import { resourceOf } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import { ParameterError } from "../../base/errors.ts";
import {
  maxContentTypeChars,
  maxListedStreams,
  maxSearchChars,
  maxSearchTags,
  maxTagValueChars,
} from "../../base/limits/streams.ts";
import type { FoundRows, StreamRow } from "../../store/streams/catalog.ts";
import {
  type SearchPosition,
  type SortKey,
  sortKeys,
  type StreamSearch,
} from "../../store/streams/search.ts";
import { json, type Operation, operation } from "./operation.ts";
import * as parameter from "./parameters.ts";
import { countSchema } from "./schemas.ts";
import { describe, streamSchema, type Uploads } from "./stream-json.ts";

/** What the operation needs of the engine. */
export interface StreamLists {
  search(query: StreamSearch): Promise<FoundRows>;
}

const pageSchema = v.strictObject({
  streams: v.array(streamSchema),
  next: v.nullable(v.string()),
  /** On all pages together; null for callers that may list only some streams, which would learn of the others. */
  total: v.nullable(countSchema),
});

type VisibleRows = Omit<FoundRows, "total"> & { total: number | null };

const orders = sortKeys.flatMap((key) => [key, `-${key}`] as const);

const parameters = {
  state: parameter.choice(["finished", "unfinished"], "Only streams in this state."),
  after: parameter.after("opaque, apart from the order of the ids, where it is an id"),
  limit: parameter.limit(maxListedStreams),
  q: parameter.text(
    "Only streams with these words in their id, title, name or tags. The last word may be the beginning of one.",
    maxSearchChars,
  ),
  "tag.*": parameter.texts(
    "Only streams with this tag, as `tag.artist=Bach`.",
    maxSearchTags,
    maxTagValueChars,
  ),
  type: parameter.text("Only streams of this MIME type.", maxContentTypeChars),
  from: parameter.time(
    "Only streams that were created then or later, in ISO 8601 or milliseconds since 1970.",
  ),
  to: parameter.time("Only streams that were created before."),
  sort: parameter.choice(orders, "The order; with a minus it descends. By default it is that of the ids."),
};

export function listOperation(streams: StreamLists & Uploads): Operation {
  return operation({
    method: "get",
    route: "/api/streams",
    tag: "streams",
    access: { action: "list", within: "streams" },
    summary: "Lists streams, or searches them.",
    parameters,
    answers: { 200: { description: "A page of streams.", schema: pageSchema } },
    errors: [],
    async handle({ query, principal, meter }) {
      const { q, "tag.*": tags, sort = "id", after: cursor, ...rest } = query;
      // An empty field of a form asks for nothing.
      const text = q?.trim() === "" ? undefined : q;
      const isDescending = sort.startsWith("-");
      const by = (isDescending ? sort.slice(1) : sort) as SortKey;
      const position = cursor === "" ? undefined : decodeCursor(cursor, by);
      const search = { ...rest, text, tags, by, isDescending, after: position };
      const found: VisibleRows = principal.mayAll("list", "streams")
        ? await streams.search(search)
        : await searchVisible(streams, search, principal);
      const next = found.next === undefined ? null : encodeCursor(found.next, by);
      return json(
        { streams: found.rows.map((row) => describe(row, streams)), next, total: found.total },
        meter,
      );
    },
  });
}

/**
 * Searches on until there is a stream that the caller may list; the page ends with the last one, because `next` shows
 * where it ends.
 */
async function searchVisible(
  streams: StreamLists,
  search: StreamSearch,
  principal: Principal,
): Promise<VisibleRows> {
  const isVisible = ({ streamId }: StreamRow) => principal.may("list", resourceOf("streams", streamId));
  let { after } = search;
  for (;;) {
    const found = await streams.search({ ...search, after });
    const last = found.rows.findLastIndex(isVisible);
    if (found.next === undefined || last === found.rows.length - 1)
      return { rows: found.rows.filter(isVisible), next: found.next, total: null };
    if (last >= 0) {
      const page = await streams.search({ ...search, after, limit: last + 1 });
      return { rows: page.rows.filter(isVisible), next: page.next, total: null };
    }
    after = found.next;
  }
}

const cursorSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.tuple([v.picklist(sortKeys), v.union([v.string(), v.number()]), v.pipe(v.number(), v.safeInteger())]),
);

/** An id alone is a position in the order of the ids: clients may begin anywhere. */
function encodeCursor({ value, doc }: SearchPosition, by: SortKey): string {
  if (by === "id") return String(value);
  return Buffer.from(JSON.stringify([by, value, doc])).toString("base64url");
}

function decodeCursor(cursor: string, by: SortKey): SearchPosition {
  if (by === "id") return { value: cursor, doc: 0 };
  const parsed = v.safeParse(cursorSchema, Buffer.from(cursor, "base64url").toString());
  if (!parsed.success || parsed.output[0] !== by) {
    throw new ParameterError("after", "expected the `next` of a page in the same order");
  }
  const [, value, doc] = parsed.output;
  return { value, doc };
}
