/** The OpenAPI 3.1 document of the HTTP API, made from its operations. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { type ErrorCode, errorRow } from "../../base/errors.ts";
import type { Answer, Operation } from "./operation.ts";
import type { Family } from "./parameters.ts";
import { errorSchema } from "./schemas.ts";

/** JSON, as far as this file writes it. */
type Json = Readonly<Record<string, unknown>>;

const jsonType = "application/json";

export function openApiDocument(operations: readonly Operation[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const each of operations) {
    const path = (paths[templateOf(each.route)] ??= {});
    path[each.method] = describe(each);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Wavecache", version, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: { schemas: { Error: schemaOf(errorSchema) } },
  };
}

/** `/api/songs/:name{.+}/audio` as `/api/songs/{name}/audio`. */
export function templateOf(route: string): string {
  return route.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
}

function describe(each: Operation): Json {
  const answers = Object.entries(each.answers).map(([status, answer]) => [status, describeAnswer(answer)]);
  return {
    operationId: operationId(each),
    tags: [each.tag],
    summary: each.summary,
    parameters: [...pathParameters(each), ...headerParameters(each), ...queryParameters(each)],
    ...(each.body === undefined ? {} : { requestBody: describeBody(each.body) }),
    responses: Object.fromEntries([...answers, ...describeErrors([...commonErrors(each), ...each.errors])]),
  };
}

function operationId({ method, route }: Operation): string {
  const words = templateOf(route)
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "" && word !== "api");
  return [method, ...words.map((word) => word[0]!.toUpperCase() + word.slice(1))].join("");
}

function pathParameters({ route, segments = {} }: Operation): Json[] {
  const names = Array.from(route.matchAll(/:(\w+)/g), (match) => match[1]!);
  return names.map((name) => ({
    name,
    in: "path",
    required: true,
    description: segments[name],
    schema: { type: "string" },
  }));
}

function headerParameters({ headers = {} }: Operation): Json[] {
  return Object.entries(headers).map(([name, description]) => ({
    name,
    in: "header",
    description,
    schema: { type: "string" },
  }));
}

function queryParameters({ parameters }: Operation): Json[] {
  return Object.entries(parameters).map(([name, parameter]) => {
    if ("member" in parameter) return describeFamily(name, parameter);
    const { description, describes } = parameter;
    return { name, in: "query", description, schema: describes };
  });
}

/** An object in form style: each of its properties is a parameter of its own. */
function describeFamily(name: string, { description, describes, maxMembers }: Family): Json {
  const names = `^${name.slice(0, -1).replaceAll(".", String.raw`\.`)}.`;
  const schema = {
    type: "object",
    patternProperties: { [names]: describes },
    additionalProperties: false,
    maxProperties: maxMembers,
  };
  return { name, in: "query", description, style: "form", explode: true, schema };
}

function describeBody({ description, content, schema }: NonNullable<Operation["body"]>): Json {
  const media = schema === undefined ? {} : { schema: schemaOf(schema) };
  return { description, content: Object.fromEntries(content.map((type) => [type, media])) };
}

function describeAnswer({ description, schema, content, headers }: Answer): Json {
  const types = [...(schema === undefined ? [] : [jsonType]), ...(content ?? [])];
  const describe = (type: string) =>
    type === jsonType && schema !== undefined ? { schema: schemaOf(schema) } : {};
  return {
    description,
    ...(types.length > 0 ? { content: Object.fromEntries(types.map((type) => [type, describe(type)])) } : {}),
    ...(headers === undefined ? {} : { headers: describeHeaders(headers) }),
  };
}

function describeHeaders(headers: Readonly<Record<string, string>>): Json {
  const entries = Object.entries(headers).map(([name, description]) => [
    name,
    { description, schema: { type: "string" } },
  ]);
  return Object.fromEntries(entries);
}

/** The errors that an operation has because of its query and its access. */
function commonErrors({ access }: Operation): ErrorCode[] {
  return access === "open" ? ["BAD_REQUEST"] : ["BAD_REQUEST", "UNAUTHENTICATED", "FORBIDDEN"];
}

/** One answer a status; its description lists the codes. */
function describeErrors(codes: readonly ErrorCode[]): [string, Json][] {
  const byStatus = Map.groupBy(new Set(codes), (code) => String(errorRow(code).http));
  return Array.from(byStatus, ([status, group]) => [
    status,
    {
      description: group.map((code) => `${code}: ${errorRow(code).reason}`).join("; "),
      content: { [jsonType]: { schema: { $ref: "#/components/schemas/Error" } } },
    },
  ]);
}

function schemaOf(schema: v.GenericSchema): Json {
  const { $schema: _, ...rest } = toJsonSchema(schema, { typeMode: "output" });
  return rest;
}
