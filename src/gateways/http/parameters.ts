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

export type Parameters = Readonly<Record<string, Parameter>>;

/** What the parameters of a query amount to once they are read. */
export type Values<P extends Parameters> = {
  readonly [K in keyof P]: P[K] extends Parameter<infer T> ? T : never;
};

/** An optional text. */
export function text(description: string): Parameter<string | undefined> {
  return { description, describes: { type: "string" }, schema: v.optional(v.string()) };
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
  const values: Record<string, unknown> = {};
  for (const name of new Set(search.keys())) {
    if (!Object.hasOwn(parameters, name)) throw unknownParameter(name, parameters);
    if (search.getAll(name).length > 1) throw new ParameterError(name, "the parameter comes twice");
  }
  for (const [name, { schema }] of Object.entries(parameters)) {
    const result = v.safeParse(schema, search.get(name) ?? undefined);
    if (!result.success) throw new ParameterError(name, result.issues[0].message);
    values[name] = result.output;
  }
  return values as Values<P>;
}

/** The longest name of a parameter that an error repeats. */
const maxNameChars = 64;

function unknownParameter(name: string, parameters: Parameters): ParameterError {
  const known = Object.keys(parameters);
  const instead = known.length === 0 ? "there are no parameters here" : `known: ${known.join(", ")}`;
  return new ParameterError(name.slice(0, maxNameChars), `unknown parameter; ${instead}`);
}
