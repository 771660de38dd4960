/** Query parameters of the HTTP API: how each is read, and how OpenAPI describes it. */
import * as v from "valibot";
import { ParameterError } from "../../base/errors.ts";

/** A JSON Schema of a single value, as OpenAPI 3.1 has it. */
export type ValueSchema = Readonly<Record<string, unknown>>;

export interface Parameter<T = unknown> {
  description: string;
  describes: ValueSchema;
  /** Reads the text of the query; undefined where the query lacks the parameter. */
  schema: v.GenericSchema<string | undefined, T>;
}

/**
 * Parameters whose names have the same beginning and any end. Under `tag.*`, `tag.artist=A&tag.album=B` is read as
 * `{ artist: "A", album: "B" }`.
 */
export interface Family<T = unknown> {
  description: string;
  /** Describes one value. */
  describes: ValueSchema;
  /** Reads the text of one value. */
  member: v.GenericSchema<string, T>;
  /** One more is refused. */
  maxMembers: number;
}

/** A name that ends with a star is that of a family. */
export type Parameters = Readonly<Record<string, Parameter | Family>>;

/** What the parameters of a query amount to once they are read. */
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Family<infer T>
    ? Readonly<Record<string, T>>
    : P[K] extends Parameter<infer T>
      ? T
      : never;
};

/** An optional text. */
export function text(description: string, maxChars = Infinity): Parameter<string | undefined> {
  const describes = { type: "string", ...(maxChars === Infinity ? {} : { maxLength: maxChars }) };
  return { description, describes, schema: v.optional(shortText(maxChars)) };
}

/** Any number of texts, up to `maxMembers`. */
export function texts(description: string, maxMembers: number, maxChars: number): Family<string> {
  const describes = { type: "string", maxLength: maxChars };
  return { description, describes, member: shortText(maxChars), maxMembers };
}

function shortText(maxChars: number) {
  return v.pipe(v.string(), v.maxLength(maxChars, `expected at most ${maxChars} characters`));
}

/** An optional text of a fixed list. */
export function choice<const T extends string>(
  values: readonly T[],
  description: string,
): Parameter<T | undefined> {
  const expected = `expected one of ${values.join(", ")}`;
  return {
    description,
    describes: { type: "string", enum: values },
    schema: v.optional(v.picklist(values, expected)),
  };
}

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number, description: string): Parameter<number | undefined> {
  const schema = v.optional(wholeSchema(min, max));
  return { description, describes: { type: "integer", minimum: min, maximum: max }, schema };
}

const rfc3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;
const expectedTime =
  "expected a time as in RFC 3339, such as 2025-01-31T09:05:00.25Z, or milliseconds since 1970";

const exactTimeText = v.pipe(
  v.string(),
  v.transform(microsecondsOf),
  v.check((us) => Number.isSafeInteger(us), expectedTime),
);

/** An optional time, read as µs since 1970. */
export function exactTime(description: string): Parameter<number | undefined> {
  return { description, describes: { type: "string" }, schema: v.optional(exactTimeText) };
}

const timeText = v.pipe(
  exactTimeText,
  v.transform((us) => Math.ceil(us / 1000)),
);

/** An optional time for what happens at whole milliseconds, read as milliseconds since 1970. */
export function time(description: string): Parameter<number | undefined> {
  return { description, describes: { type: "string" }, schema: v.optional(timeText) };
}

/** NaN if the text is no time. The zone of a time is never left to the server's own. */
function microsecondsOf(text: string): number {
  if (/^\d{1,15}(?:\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1000);
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return midnightOf(text) * 1000;
  // A `+` that was not encoded as %2B arrives as a space.
  const match = rfc3339.exec(text.replace(/^(\S+) (\d\d:\d\d)$/, "$1+$2"));
  if (match === null) return NaN;
  const [, day, clock, fraction = "", zone] = match;
  if (Number.isNaN(midnightOf(day!))) return NaN;
  const ms = Date.parse(`${day}T${clock}${zone!.toUpperCase()}`);
  return ms * 1000 + Math.round(Number(`0.${fraction || 0}`) * 1_000_000);
}

/** NaN for a day that its month does not have: dates would count on into the next month. */
function midnightOf(day: string): number {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(ms) || new Date(ms).getUTCDate() !== Number(day.slice(8)) ? NaN : ms;
}

/** The length of a page of a list. */
export function limit(max: number): Parameter<number> {
  const fallback = Math.min(100, max);
  return {
    description: "Entries of one page.",
    describes: { type: "integer", minimum: 1, maximum: max, default: fallback },
    schema: v.optional(wholeSchema(1, max), String(fallback)),
  };
}

/** The `next` of the page before; a page without it is the first. */
export function after(what: string): Parameter<string> {
  return {
    description: `Continues a list: the \`next\` of the previous page, which is ${what}.`,
    describes: { type: "string", default: "" },
    schema: v.optional(v.string(), ""),
  };
}

function wholeSchema(min: number, max: number) {
  const expected = `expected a whole number from ${min} to ${max}`;
  return v.pipe(
    v.string(),
    v.regex(/^\d{1,16}$/, expected),
    v.transform(Number),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
}

/**
 * Reads the query of a request. Throws `ParameterError` for a value that does not fit, a parameter that comes twice, and
 * one that the operation does not have: a typing error must not be ignored.
 */
export function readQuery<P extends Parameters>(parameters: P, search: URLSearchParams): Values<P> {
  for (const name of new Set(search.keys())) {
    if (!isKnown(parameters, name)) throw unknownParameter(name, parameters);
    if (search.getAll(name).length > 1) throw wrong(name, "the parameter comes twice");
  }
  const values = Object.entries(parameters).map(([name, parameter]) => [
    name,
    "member" in parameter
      ? readFamily(name, parameter, search)
      : readValue(name, parameter.schema, search.get(name) ?? undefined),
  ]);
  return Object.fromEntries(values) as Values<P>;
}

function isKnown(parameters: Parameters, name: string): boolean {
  if (Object.hasOwn(parameters, name)) return !name.endsWith("*");
  return Object.keys(parameters).some((each) => memberOf(each, name) !== undefined);
}

/** What the star of a family stands for in this name; undefined if the name is none of the family's. */
function memberOf(family: string, name: string): string | undefined {
  const prefix = family.slice(0, -1);
  const isMember = family.endsWith("*") && name.startsWith(prefix) && name.length > prefix.length;
  return isMember ? name.slice(prefix.length) : undefined;
}

function readFamily(
  family: string,
  { member, maxMembers }: Family,
  search: URLSearchParams,
): Record<string, unknown> {
  const found = Array.from(search).flatMap(([name, text]) => {
    const key = memberOf(family, name);
    return key === undefined ? [] : [[key, readValue(name, member, text)] as const];
  });
  if (found.length > maxMembers)
    throw new ParameterError(family, `at most ${maxMembers} of them are possible`);
  return Object.fromEntries(found);
}

function readValue<I, T>(name: string, schema: v.GenericSchema<I, T>, text: I): T {
  const result = v.safeParse(schema, text);
  if (!result.success) throw wrong(name, result.issues[0].message);
  return result.output;
}

/** The longest name of a parameter that an error repeats. */
const maxNameChars = 64;

function wrong(name: string, problem: string): ParameterError {
  return new ParameterError(name.slice(0, maxNameChars), problem);
}

function unknownParameter(name: string, parameters: Parameters): ParameterError {
  const known = Object.keys(parameters);
  const instead = known.length === 0 ? "there are no parameters here" : `known: ${known.join(", ")}`;
  return wrong(name, `unknown parameter; ${instead}`);
}
