/** The session of a browser: a cookie instead of a token in every request. */
import * as v from "valibot";
import { cookieOf, sessionCookie } from "../../../access/credentials.ts";
import type { Principal } from "../../../access/principal.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { sessionMs } from "../../../base/limits/access.ts";
import { json, type Operation, operation } from "../operation.ts";
import { timeSchema } from "../schemas.ts";

/** What the operations need of access. */
export interface BrowserSessions {
  readonly sessions: {
    /** Results in the value of the cookie. */
    open(principal: Principal, agent: string): Promise<string>;
    /** Ends the session of a cookie, and what it has open. */
    close(cookie: string): Promise<void>;
  };
}

const route = "/api/session";
const tag = "access";

const principalSchema = v.strictObject({
  principal: v.string(),
  kind: v.picklist(["anonymous", "token", "jwt", "link", "certificate"]),
  grants: v.array(v.string()),
  expiresAt: v.nullable(timeSchema),
});

export function sessionOperations({ sessions }: BrowserSessions): Operation[] {
  return [describeOperation(), openOperation(sessions), closeOperation(sessions)];
}

function describeOperation(): Operation {
  return operation({
    method: "get",
    route,
    tag,
    access: "open",
    summary: "Says who the caller is, and what it may do.",
    parameters: {},
    answers: { 200: { description: "The caller.", schema: principalSchema } },
    errors: ["UNAUTHENTICATED"],
    handle: ({ principal, meter }) => json(describe(principal), meter),
  });
}

function openOperation(sessions: BrowserSessions["sessions"]): Operation {
  return operation({
    method: "post",
    route,
    tag,
    access: "open",
    summary: "Opens a session for the token of this request, and sets its cookie.",
    parameters: {},
    answers: {
      201: {
        description: "Who the session is of.",
        schema: principalSchema,
        headers: { "Set-Cookie": "The cookie of the session." },
      },
    },
    errors: ["UNAUTHENTICATED", "FORBIDDEN"],
    async handle({ request, principal, connection, meter }) {
      if (principal.isAnonymous) throw new WavecacheError("UNAUTHENTICATED");
      if (principal.kind === "link") throw new WavecacheError("FORBIDDEN");
      const answer = json(describe(principal), meter, 201);
      const secret = await sessions.open(principal, request.headers.get("user-agent") ?? "");
      answer.headers.set("set-cookie", cookieText(secret, sessionMs / 1000, connection.isSecure));
      return answer;
    },
  });
}

function closeOperation(sessions: BrowserSessions["sessions"]): Operation {
  return operation({
    method: "delete",
    route,
    tag,
    access: "open",
    summary: "Ends the session, and removes its cookie.",
    parameters: {},
    answers: {
      204: { description: "There is no session.", headers: { "Set-Cookie": "Removes the cookie." } },
    },
    errors: ["UNAUTHENTICATED"],
    async handle({ request, connection }) {
      const cookie = cookieOf(request.headers, sessionCookie);
      if (cookie !== undefined) await sessions.close(cookie);
      return new Response(null, {
        status: 204,
        headers: { "set-cookie": cookieText("", 0, connection.isSecure) },
      });
    },
  });
}

/** No script reads the cookie, no other site sends it, and no connection without TLS where there is one. */
function cookieText(value: string, maxAgeSeconds: number, isSecure: boolean): string {
  const secure = isSecure ? "; Secure" : "";
  return `${sessionCookie}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure}`;
}

function describe({ name, kind, grants, expiresAt }: Principal): v.InferOutput<typeof principalSchema> {
  return {
    principal: name,
    kind,
    grants: grants.toString().split(" ").filter(Boolean),
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
  };
}
