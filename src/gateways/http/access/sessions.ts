/** `GET /api/sessions` and `DELETE /api/sessions/{id}`: who is signed in with a browser. */
import * as v from "valibot";
import { cookieOf, sessionCookie } from "../../../access/credentials.ts";
import type { SessionRow } from "../../../access/sessions.ts";
import { WavecacheError } from "../../../base/errors.ts";
import { maxListedSessions } from "../../../base/limits/access.ts";
import { json, type Operation, operation } from "../operation.ts";
import { limit } from "../parameters.ts";
import { timeSchema } from "../schemas.ts";

/** What the operations need of access. */
export interface SessionAdmin {
  readonly sessions: {
    list(): Promise<SessionRow[]>;
    idOf(cookie: string): string | undefined;
    /** False if there is no such session. */
    end(id: string): Promise<boolean>;
  };
}

const sessionSchema = v.strictObject({
  id: v.string(),
  principal: v.string(),
  openedAt: timeSchema,
  usedAt: timeSchema,
  expiresAt: timeSchema,
  /** Of the last use. */
  address: v.string(),
  /** What the browser calls itself. */
  agent: v.string(),
  /** Whether it is that of the request. */
  current: v.boolean(),
});

const tag = "access";
const access = { action: "admin", on: "server" } as const;

export function sessionAdminOperations({ sessions }: SessionAdmin): Operation[] {
  return [listOperation(sessions), endOperation(sessions)];
}

function listOperation(sessions: SessionAdmin["sessions"]): Operation {
  return operation({
    method: "get",
    route: "/api/sessions",
    tag,
    access,
    summary: "Lists the sessions of browsers, the one that was used last first.",
    parameters: { limit: limit(maxListedSessions) },
    answers: {
      200: {
        description: "The sessions, without their cookies.",
        schema: v.strictObject({ sessions: v.array(sessionSchema) }),
      },
    },
    errors: [],
    async handle({ request, query, meter }) {
      const cookie = cookieOf(request.headers, sessionCookie);
      const current = cookie === undefined ? undefined : sessions.idOf(cookie);
      const rows = (await sessions.list()).slice(0, query.limit);
      return json({ sessions: rows.map((row) => describe(row, current)) }, meter);
    },
  });
}

function endOperation(sessions: SessionAdmin["sessions"]): Operation {
  return operation({
    method: "delete",
    route: "/api/sessions/:id",
    tag,
    access,
    summary: "Ends a session, and what it has open.",
    segments: { id: "The id of the session." },
    parameters: {},
    answers: { 204: { description: "The session is over." } },
    errors: ["SESSION_UNKNOWN"],
    async handle({ path, principal }) {
      const id = path["id"]!;
      if (!(await sessions.end(id))) throw new WavecacheError("SESSION_UNKNOWN");
      principal.did("admin", `sessions/${id}`);
      return new Response(null, { status: 204 });
    },
  });
}

function describe(row: SessionRow, current: string | undefined): v.InferOutput<typeof sessionSchema> {
  const [openedAt, usedAt, expiresAt] = [row.openedAt, row.usedAt, row.expiresAt].map(time);
  return {
    ...row,
    openedAt: openedAt!,
    usedAt: usedAt!,
    expiresAt: expiresAt!,
    current: row.id === current,
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
