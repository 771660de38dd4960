/** Searching streams: what can be asked, and what is found. */

export const sortKeys = ["id", "created", "title", "size", "duration"] as const;
export type SortKey = (typeof sortKeys)[number];

/** A place in a sorted list: the value that it is sorted by, and the number of the stream in the index of the search. */
export interface SearchPosition {
  value: string | number;
  doc: number;
}

export interface StreamSearch {
  state: "finished" | "unfinished" | undefined;
  /** Words that the id and the values of the tags contain; the last one may be only the beginning of a word. */
  text: string | undefined;
  /** MIME type without parameters. */
  type: string | undefined;
  /** Values by tag. Upper and lower case of ASCII letters are the same. */
  tags: Readonly<Record<string, string>>;
  /** Milliseconds since 1970: created then or later, and before. */
  from: number | undefined;
  to: number | undefined;
  by: SortKey;
  isDescending: boolean;
  after: SearchPosition | undefined;
  limit: number;
}

export interface FoundStreams {
  streamIds: string[];
  /** Of the last one; undefined at the end of the list. */
  next: SearchPosition | undefined;
  /** On all pages together; at most `maxCountedStreams`, unless every stream or every one of a state is listed. */
  total: number;
}

/** Whether this asks for fewer streams than there are in a state. */
export function isFiltered({ text, type, tags, from, to }: StreamSearch): boolean {
  return [text, type, from, to].some((each) => each !== undefined) || Object.keys(tags).length > 0;
}

/** Whether this asks for the whole list, or all of one state, in the order of the ids. */
export function isPlain(query: StreamSearch): boolean {
  return !isFiltered(query) && query.by === "id" && !query.isDescending;
}
