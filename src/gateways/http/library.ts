/** The operations on the songs of the library. */
import * as v from "valibot";
import { resourceOf } from "../../access/actions.ts";
import { maxListedSongs } from "../../base/limits/library.ts";
import { json, type Operation, operation } from "./operation.ts";
import { after, limit } from "./parameters.ts";
import { countSchema } from "./schemas.ts";

/** What the operations need of the engine. */
export interface Songs {
  list(query: {
    after: string;
    limit: number;
    isVisible: (name: string) => boolean;
  }): Promise<v.InferOutput<typeof pageSchema>>;
}

const songSchema = v.strictObject({
  name: v.string(),
  /** In bytes. */
  size: countSchema,
  /** A MIME type. */
  type: v.string(),
  /** In seconds; null if it is unknown. */
  duration: v.nullable(v.number()),
});

const pageSchema = v.strictObject({ songs: v.array(songSchema), next: v.nullable(v.string()) });

export function libraryOperations(songs: Songs): Operation[] {
  return [
    operation({
      method: "get",
      route: "/api/library",
      tag: "library",
      access: { action: "list", within: "library" },
      summary: "Lists songs in the order of their names.",
      parameters: { after: after("a name"), limit: limit(maxListedSongs) },
      answers: { 200: { description: "A page of songs.", schema: pageSchema } },
      errors: ["LIBRARY_UNUSABLE"],
      async handle({ query, principal, meter }) {
        const isVisible = (name: string) => principal.may("list", resourceOf("library", name));
        return json(await songs.list({ ...query, isVisible }), meter);
      },
    }),
  ];
}
