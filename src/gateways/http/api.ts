/**
 * The HTTP API: routes its operations, and answers every error with a row of the error table. hono finds the operation
 * of a path; everything else of a request lies in the operation itself.
 */
import { type Context, Hono } from "hono";
import { TrieRouter } from "hono/router/trie-router";
import type { Principal } from "../../access/principal.ts";
import type { GatewayMeter } from "../../base/gateway-meter.ts";
import { WavecacheError } from "../../base/errors.ts";
import { errorResponse } from "../../listen/error-response.ts";
import type { HttpConnection, HttpRoute } from "../../listen/route.ts";
import { endBody } from "../../listen/end-body.ts";
import { openApiDocument } from "./openapi.ts";
import {
  type ApiRequest,
  json,
  type Method,
  type Operation,
  type OperationAccess,
  operation,
} from "./operation.ts";
import { methodOf } from "./tus/method-override.ts";

interface Bindings {
  url: URL;
  connection: HttpConnection;
}

type Env = { Bindings: Bindings };

const root = "/api/";

/** The route of everything below `/api/`, the OpenAPI document included. */
export function apiRoute(operations: readonly Operation[], version: string, meter: GatewayMeter): HttpRoute {
  const all = [...operations, documentOperation(() => document)];
  const document = openApiDocument(all, version);
  const methods = methodsByPath(all);
  // The listener has parsed the target, whatever the Host header holds.
  const app = new Hono<Env>({ getPath: (_, options) => operationPath(options!.env!.url) });
  for (const each of all) {
    // hono looks for the GET of a path to answer a HEAD.
    const method = each.method === "head" ? "GET" : each.method.toUpperCase();
    app.on(method, each.route, (context, next) =>
      each.method === "head" && context.req.method !== "HEAD" ? next() : run(each, context, meter),
    );
  }
  app.notFound((context) => withoutOperation(context, methods(operationPath(context.env.url)), meter));
  app.onError((error, context) => endBody(errorResponse(error, meter), context.req.raw));
  const streaming = methodsByPath(all.filter(({ streamsBody }) => streamsBody === true));
  return {
    streamsBody(request, url) {
      const path = operationPath(url);
      return streaming(path).includes(methodOf(request, path));
    },
    handle(request, url, connection) {
      if (!url.pathname.startsWith(root)) return undefined;
      const method = methodOf(request, operationPath(url));
      const meant = method === request.method ? request : new Request(request, { method });
      return app.fetch(meant, { url, connection });
    },
  };
}

/** A path with a slash at its end is the same one: clients of tus are often set up so. */
function operationPath({ pathname }: URL): string {
  return pathname.length > root.length && pathname.endsWith("/") ? pathname.slice(0, -1) : pathname;
}

async function run(each: Operation, context: Context<Env>, meter: GatewayMeter): Promise<Response> {
  const { url, connection } = context.env;
  meter.opened();
  try {
    const { principal } = connection;
    const path = context.req.param();
    requireAccess(each.access, path, principal);
    return await each.handle({
      request: context.req.raw,
      path,
      query: url.searchParams,
      connection,
      principal,
      meter,
    });
  } finally {
    meter.closed();
  }
}

/** Throws UNAUTHENTICATED, FORBIDDEN, or what the caller gets for a resource that does not exist. */
function requireAccess(access: OperationAccess, path: ApiRequest["path"], principal: Principal): void {
  if (access === "open") return;
  if ("within" in access) return principal.requireSome(access.action, access.within);
  const resource = access.on.replaceAll(/:(\w+)/g, (_, name: string) => path[name] ?? "");
  principal.require(access.action, resource, access.unknown);
}

/** A path without this method, or no path of the API. */
function withoutOperation(context: Context<Env>, methods: string[], meter: GatewayMeter): Response {
  if (methods.length === 0) return errorResponse(new WavecacheError("ROUTE_UNKNOWN"), meter);
  const allow = methods.join(", ");
  if (context.req.method === "OPTIONS") return new Response(null, { status: 204, headers: { allow } });
  const refusal = errorResponse(new WavecacheError("METHOD_NOT_ALLOWED"), meter);
  refusal.headers.set("allow", allow);
  return refusal;
}

/** Finds the methods that a path has. A GET answers HEAD, too. */
function methodsByPath(operations: readonly Operation[]): (path: string) => string[] {
  const router = new TrieRouter<Method>();
  for (const { method, route } of operations) router.add("ALL", route, method);
  return (path) => {
    const found = router.match("ALL", path)[0].map(([method]) => method.toUpperCase());
    return [...new Set(found.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])))];
  };
}

function documentOperation(document: () => unknown): Operation {
  return operation({
    method: "get",
    route: "/api/openapi.json",
    tag: "api",
    access: "open",
    summary: "This description of the API, as OpenAPI 3.1.",
    parameters: {},
    answers: { 200: { description: "The document.", content: ["application/json"] } },
    errors: [],
    handle: ({ meter }) => json(document(), meter),
  });
}
