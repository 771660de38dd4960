/**
 * An operation of the HTTP API: a method on a path, with its parameters, answers and errors. The router and the OpenAPI
 * document are both made from these, so they cannot differ.
 */
import type * as v from "valibot";
import type { Action, ResourceFolder } from "../../access/actions.ts";
import type { Principal } from "../../access/principal.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import type { ErrorCode } from "../../base/errors.ts";
import type { HttpConnection } from "../../listen/route.ts";
import { type Parameters, readQuery, type Values } from "./parameters.ts";

/** A "get" answers HEAD, too; a "head" answers HEAD alone. */
export type Method = "get" | "head" | "put" | "post" | "patch" | "delete" | "options";

/** A successful answer. Without `schema` and `content` it has no body. */
export interface Answer {
  description: string;
  /** Of a JSON body. */
  schema?: v.GenericSchema;
  /** Media types of a body that is no JSON; beside `schema`, of one that the client may ask for instead. */
  content?: readonly string[];
  /** Headers that the answer may have, with what they say. */
  headers?: Readonly<Record<string, string>>;
}

export interface ApiRequest<Q = URLSearchParams> {
  request: Request;
  /** Decoded segments of the path, by their names in it. */
  path: Readonly<Record<string, string>>;
  query: Q;
  connection: HttpConnection;
  principal: Principal;
  meter: GatewayMeter;
}

/**
 * What the caller must be granted: an action on a resource, in which `:id` is a segment of the path; the same on anything
 * in a folder, whose handler leaves out the rest; or nothing.
 */
export type OperationAccess =
  { action: Action; on: string; unknown?: ErrorCode } | { action: Action; within: ResourceFolder } | "open";

interface Description {
  method: Method;
  /** As `/api/streams/:id`; `:name{.+}` takes the slashes of a name, too. */
  route: string;
  tag: string;
  /** Checked before the handler runs. */
  access: OperationAccess;
  summary: string;
  /** What the segments of the path are, by their names. */
  segments?: Readonly<Record<string, string>>;
  /** Request headers that change the answer, with what they do. */
  headers?: Readonly<Record<string, string>>;
  /** Media types of the request's body, with what it holds. */
  body?: { description: string; content: readonly string[]; schema?: v.GenericSchema };
  /** The handler takes the body as it comes, of any length; bodies of others are short. */
  streamsBody?: boolean;
  /** By HTTP status. */
  answers: Readonly<Record<number, Answer>>;
  /** Errors beside BAD_REQUEST, which a wrong query gets. */
  errors: readonly ErrorCode[];
}

/** An operation whose query is read by its own handler. */
export interface Operation extends Description {
  parameters: Parameters;
  handle(request: ApiRequest): Response | Promise<Response>;
}

export interface OperationDefinition<P extends Parameters> extends Description {
  parameters: P;
  handle(request: ApiRequest<Values<P>>): Response | Promise<Response>;
}

/** An operation whose query is read and checked before its handler runs. */
export function operation<const P extends Parameters>(definition: OperationDefinition<P>): Operation {
  return {
    ...definition,
    handle: (request) =>
      definition.handle({ ...request, query: readQuery(definition.parameters, request.query) }),
  };
}

/** JSON that no cache stores. */
export function json(body: unknown, meter: GatewayMeter, status = 200): Response {
  const text = JSON.stringify(body);
  meter.bytesOut += Buffer.byteLength(text);
  return new Response(text, {
    status,
    headers: { "content-type": "application/json;charset=utf-8", "cache-control": "no-store" },
  });
}
