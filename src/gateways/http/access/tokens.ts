/** The operations on tokens, and the audit. */
import * as v from "valibot";
import { GrantError, Grants } from "../../../access/grants.ts";
import type { AuditEntry } from "../../../access/audit.ts";
import type { NewToken, TokenSpec } from "../../../access/tokens.ts";
import { durationExpected, parseDuration } from "../../../base/duration.ts";
import { ParameterError } from "../../../base/errors.ts";
import { maxAuditEntries, maxNoteChars, maxTokenBodyBytes } from "../../../base/limits/access.ts";
import { sharedNow } from "../../../base/system/shared-clock.ts";
import { readBody } from "../../../listen/request-body.ts";
import type { TokenRow } from "../../../store/tokens/catalog.ts";
import { json, type Operation, operation } from "../operation.ts";
import { limit } from "../parameters.ts";
import { timeSchema } from "../schemas.ts";

/** What the operations need of access. */
export interface TokenAdmin {
  readonly tokens: { list(): TokenRow[] };
  readonly audit: { last(limit: number): AuditEntry[] };
  /** Rejects with TOKENS_EXHAUSTED. */
  createToken(spec: TokenSpec): Promise<NewToken>;
  /** Rejects with TOKEN_UNKNOWN. */
  revokeToken(id: string): Promise<void>;
}

const countLimit = v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)));

const limitsSchema = v.strictObject({
  connections: countLimit,
  uploads: countLimit,
  bytesInPerSecond: countLimit,
  bytesOutPerSecond: countLimit,
  storedBytes: countLimit,
});

const tokenEntries = {
  id: v.string(),
  grants: v.array(v.string()),
  limits: limitsSchema,
  note: v.string(),
  createdAt: timeSchema,
  expiresAt: v.nullable(timeSchema),
  usedAt: v.nullable(timeSchema),
  revokedAt: v.nullable(timeSchema),
};

const listSchema = v.strictObject({ tokens: v.array(v.strictObject(tokenEntries)) });
const createdSchema = v.strictObject({ ...tokenEntries, token: v.string() });

const specSchema = v.strictObject({
  grants: v.pipe(v.array(v.string()), v.minLength(1)),
  /** A duration. */
  expires: v.optional(v.string()),
  note: v.optional(v.pipe(v.string(), v.maxLength(maxNoteChars)), ""),
  limits: v.optional(limitsSchema, {}),
});

const auditSchema = v.strictObject({
  entries: v.array(
    v.strictObject({
      at: timeSchema,
      principal: v.string(),
      action: v.string(),
      resource: v.string(),
      address: v.string(),
      outcome: v.string(),
    }),
  ),
});

const tag = "access";
const access = { action: "admin", on: "server" } as const;

export function tokenOperations(admin: TokenAdmin): Operation[] {
  return [listOperation(admin), createOperation(admin), revokeOperation(admin), auditOperation(admin)];
}

function listOperation({ tokens }: TokenAdmin): Operation {
  return operation({
    method: "get",
    route: "/api/tokens",
    tag,
    access,
    summary: "Lists tokens, oldest first, those that have ended too.",
    parameters: {},
    answers: { 200: { description: "The tokens, without their texts.", schema: listSchema } },
    errors: [],
    handle: ({ meter }) => json({ tokens: tokens.list().map(describe) }, meter),
  });
}

function createOperation(admin: TokenAdmin): Operation {
  return operation({
    method: "post",
    route: "/api/tokens",
    tag,
    access,
    summary: "Creates a token. The answer alone has its text.",
    parameters: {},
    body: {
      description: `What the token allows. \`expires\` is ${durationExpected}.`,
      content: ["application/json"],
      schema: specSchema,
    },
    answers: { 201: { description: "The token.", schema: createdSchema } },
    errors: ["MESSAGE_TOO_LARGE", "MESSAGE_UNFINISHED", "TOKENS_EXHAUSTED"],
    async handle({ request, principal, meter }) {
      const { row, text } = await admin.createToken(await readSpec(request));
      principal.did("admin", `tokens/${row.id}`);
      return json({ ...describe(row), token: text }, meter, 201);
    },
  });
}

function revokeOperation(admin: TokenAdmin): Operation {
  return operation({
    method: "delete",
    route: "/api/tokens/:id",
    tag,
    access,
    summary: "Revokes a token. What uses it ends at once.",
    segments: { id: "The id of the token." },
    parameters: {},
    answers: { 204: { description: "The token is revoked." } },
    errors: ["TOKEN_UNKNOWN"],
    async handle({ path, principal }) {
      await admin.revokeToken(path["id"]!);
      principal.did("admin", `tokens/${path["id"]!}`);
      return new Response(null, { status: 204 });
    },
  });
}

function auditOperation({ audit }: TokenAdmin): Operation {
  return operation({
    method: "get",
    route: "/api/audit",
    tag,
    access,
    summary: "Lists refusals, removals and changes of tokens since the start, the newest first.",
    parameters: { limit: limit(maxAuditEntries) },
    answers: { 200: { description: "The entries.", schema: auditSchema } },
    errors: [],
    handle: ({ query, meter }) => json({ entries: audit.last(query.limit).map(describeEntry) }, meter),
  });
}

async function readSpec(request: Request): Promise<TokenSpec> {
  const body = await readBody(request, { maxBytes: maxTokenBodyBytes });
  const result = v.safeParse(specSchema, parseJson(new TextDecoder().decode(body)));
  if (!result.success) {
    const [{ message, path }] = result.issues;
    throw new ParameterError(path?.map(({ key }) => String(key)).join(".") ?? "body", message);
  }
  const { grants, expires, note, limits } = result.output;
  return { grants: readGrants(grants.join(" ")), expiresAt: readExpiry(expires), note, limits };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ParameterError("body", "expected JSON");
  }
}

function readGrants(text: string): Grants {
  try {
    return Grants.parse(text);
  } catch (error) {
    if (!(error instanceof GrantError)) throw error;
    throw new ParameterError("grants", error.message);
  }
}

function readExpiry(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms === undefined) throw new ParameterError("expires", `expected ${durationExpected}`);
  return sharedNow() + ms;
}

function describe(row: TokenRow): v.InferOutput<typeof listSchema>["tokens"][number] {
  const { id, grants, limits, note, createdAt, expiresAt, usedAt, revokedAt } = row;
  return {
    id,
    grants: grants.split(" "),
    limits,
    note,
    createdAt: time(createdAt),
    expiresAt: expiresAt === null ? null : time(expiresAt),
    usedAt: usedAt === null ? null : time(usedAt),
    revokedAt: revokedAt === null ? null : time(revokedAt),
  };
}

function describeEntry({ at, principal, action, resource, address, outcome }: AuditEntry) {
  return { at: time(at), principal, action, resource, address, outcome };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
