/** Two nodes that share a catalog in PostgreSQL: sessions of browsers and shared links count at both. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { SignJWT } from "jose";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { postgresPrograms, postgresServer } from "../harness/servers/postgres.ts";
import { until, within } from "../harness/until.ts";

useServers();

/** What one node ends is over at the others within this time. */
const newsLimitMs = 5_000;
/** Of a node whose catalog comes back. */
const readyLimitMs = 15_000;
const remove = { method: "DELETE" };

interface Made {
  id: string;
  token: string;
}

const secrets = { shared: "shared".repeat(10), other: "other".repeat(10) };

let folder: ReturnType<typeof temporaryFolder>;
/** Between node b and PostgreSQL. */
let proxy: TcpProxy;
let proxied: string;
let catalogPort: number;
let a: TestServer;
let b: TestServer;
let root: Made;

beforeAll(async () => {
  folder = temporaryFolder();
  const catalog = postgresServer().createSchema();
  catalogPort = Number(new URL(catalog).port);
  proxy = await TcpProxy.open(catalogPort);
  const file = secretFile("shared");
  a = await TestServer.start({ flags: { catalog, "jwt-secret-file": file } });
  root = await makeToken(a, await jwt());
  proxied = catalog.replace(`:${catalogPort}/`, `:${proxy.port}/`);
  b = await TestServer.start({ flags: { catalog: proxied, "jwt-secret-file": file } });
}, 60_000);

afterAll(async () => {
  await Promise.all([a?.dispose(), b?.dispose()]);
  proxy?.[Symbol.dispose]();
  folder?.[Symbol.dispose]();
});

function secretFile(name: keyof typeof secrets): string {
  const path = join(folder.path, name);
  writeFileSync(path, secrets[name], { mode: 0o600 });
  return path;
}

/** Of another program. */
async function jwt(grants = "*"): Promise<Record<string, string>> {
  const token = await new SignJWT({ sub: "anna", wavecache: grants })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode(secrets.shared));
  return bearer({ token });
}

function bearer({ token }: Pick<Made, "token">): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

async function ask(
  { httpBase }: TestServer,
  path: string,
  headers: Record<string, string>,
  init: RequestInit = {},
): Promise<Response> {
  return await fetch(`${httpBase}${path}`, { ...init, headers: { ...headers, origin: httpBase } });
}

async function statusOf(node: TestServer, path: string, headers: Record<string, string>): Promise<number> {
  const answer = await ask(node, path, headers);
  await answer.body?.cancel();
  return answer.status;
}

async function makeToken(node: TestServer, headers = bearer(root)): Promise<Made> {
  const body = JSON.stringify({ grants: ["*"] });
  const json = { ...headers, "content-type": "application/json" };
  const answer = await ask(node, "/api/tokens", json, { method: "POST", body });
  expect(answer.status).toBe(201);
  return (await answer.json()) as Made;
}

/** The node has read the token, and its end if it is revoked. To try the token itself would be a guess. */
async function untilListed(node: TestServer, { id }: Made, isRevoked: boolean): Promise<void> {
  await until("the token at the other node", newsLimitMs, async () => {
    const answer = await ask(node, "/api/tokens", bearer(root));
    const { tokens } = (await answer.json()) as { tokens: { id: string; revokedAt: string | null }[] };
    return tokens.some((token) => token.id === id && (token.revokedAt !== null) === isRevoked);
  });
}

/** Results in the header that a browser would send. */
async function signIn(node: TestServer, headers: Record<string, string>): Promise<{ cookie: string }> {
  const answer = await ask(node, "/api/session", headers, { method: "POST" });
  expect(answer.status).toBe(201);
  return { cookie: answer.headers.get("set-cookie")!.split(";")[0]! };
}

async function codeOf(node: TestServer, path: string, headers: Record<string, string>): Promise<string> {
  const answer = await ask(node, path, headers);
  if (answer.ok) return "ok";
  return ((await answer.json()) as { error: { code: string } }).error.code;
}

/** Of this token. */
async function sessionsAt(node: TestServer, { id }: Made): Promise<{ id: string; principal: string }[]> {
  const answer = await ask(node, "/api/sessions", bearer(root));
  expect(answer.status).toBe(200);
  const { sessions } = (await answer.json()) as { sessions: { id: string; principal: string }[] };
  return sessions.filter(({ principal }) => principal === `token:${id}`);
}

/** The whole text, once the stream of events has ended. */
async function openEvents(node: TestServer, headers: Record<string, string>): Promise<Promise<string>> {
  const answer = await ask(node, "/api/events", headers);
  expect(answer.status).toBe(200);
  return within("the end of the events", readyLimitMs, answer.text());
}

function openSocket({ url, httpBase }: TestServer, headers: Record<string, string>): Promise<WebSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<WebSocket>();
  const socket = new WebSocket(url, { headers: { ...headers, origin: httpBase } } as never);
  socket.onopen = () => resolve(socket);
  socket.onerror = () => reject(new Error("the WebSocket was refused"));
  return within("the WebSocket", readyLimitMs, promise);
}

describe.skipIf(postgresPrograms === undefined)("a session that was opened at one node", () => {
  test("counts at the other one, and ends at both with what it has open", async () => {
    const token = await makeToken(a);
    const cookie = await signIn(a, bearer(token));
    expect(await statusOf(a, "/api/streams", cookie)).toBe(200);
    expect(await statusOf(b, "/api/streams", cookie)).toBe(200);
    const socket = await openSocket(b, cookie);
    const closed = new Promise<number>((resolve) => (socket.onclose = ({ code }) => resolve(code)));
    const events = openEvents(a, cookie);
    for (const node of [a, b]) expect((await sessionsAt(node, token)).length).toBe(1);
    expect((await ask(b, "/api/session", cookie, remove)).status).toBe(204);
    expect(await within("the end of the WebSocket", newsLimitMs, closed)).toBe(4401);
    expect(await events).toContain("connected");
    for (const node of [a, b]) expect(await statusOf(node, "/api/streams", cookie)).toBe(401);
    expect(await sessionsAt(a, token)).toEqual([]);
  });

  test("is ended by its id at the node that has not used it", async () => {
    const token = await makeToken(b);
    const cookie = await signIn(b, bearer(token));
    expect(await statusOf(b, "/api/streams", cookie)).toBe(200);
    const [listed] = await sessionsAt(a, token);
    expect((await ask(a, `/api/sessions/${listed!.id}`, bearer(root), remove)).status).toBe(204);
    await until("the end at the other node", newsLimitMs, async () => {
      return (await statusOf(b, "/api/streams", cookie)) === 401;
    });
    expect((await ask(b, `/api/sessions/${listed!.id}`, bearer(root), remove)).status).toBe(404);
  });

  test("can be of a token that the other node has not read yet", async () => {
    const token = await makeToken(a);
    const cookie = await signIn(a, bearer(token));
    const session = await (await ask(b, "/api/session", cookie)).json();
    expect(session).toMatchObject({ principal: `token:${token.id}` });
  });

  test("outlasts restarts, and ends at both nodes with its token", async () => {
    const token = await makeToken(a);
    const [cookie, ofJwt] = [await signIn(a, bearer(token)), await signIn(a, await jwt("read list"))];
    const session = await (await ask(b, "/api/session", ofJwt)).json();
    expect(session).toMatchObject({ principal: "jwt:anna", kind: "jwt", grants: ["read", "list"] });
    expect(await statusOf(b, "/api/tokens", ofJwt)).toBe(403);
    await a.restart();
    await b.kill9();
    await b.restart({ flags: { catalog: proxied, "jwt-secret-file": secretFile("other") } });
    for (const node of [a, b]) expect(await statusOf(node, "/api/streams", cookie)).toBe(200);
    expect(await statusOf(a, "/api/streams", ofJwt)).toBe(200);
    expect(await statusOf(b, "/api/streams", ofJwt)).toBe(401);
    const events = openEvents(b, cookie);
    expect((await ask(a, `/api/tokens/${token.id}`, bearer(root), remove)).ok).toBe(true);
    expect(await statusOf(a, "/api/streams", cookie)).toBe(401);
    expect(await events).toContain("connected");
    expect(await statusOf(b, "/api/streams", cookie)).toBe(401);
    expect(await sessionsAt(b, token)).toEqual([]);
  });
});

describe.skipIf(postgresPrograms === undefined)("a node whose catalog is away", () => {
  test("serves the sessions that it knows, and learns afterwards what has ended meanwhile", async () => {
    const revoked = await makeToken(a);
    const [known, unknown] = [await signIn(a, bearer(root)), await signIn(a, bearer(root))];
    expect(await codeOf(b, "/api/session", known)).toBe("ok");
    await untilListed(b, revoked, false);
    proxy.forwardTo(1);
    proxy.cut();
    expect(await codeOf(b, "/api/session", unknown)).toBe("CATALOG_UNAVAILABLE");
    expect(await codeOf(b, "/api/session", known)).toBe("ok");
    expect(await codeOf(b, "/api/session", bearer(revoked))).toBe("ok");
    expect((await ask(a, "/api/session", known, remove)).status).toBe(204);
    expect((await ask(a, `/api/tokens/${revoked.id}`, bearer(root), remove)).ok).toBe(true);
    proxy.forwardTo(catalogPort);
    await until("readiness", readyLimitMs, async () => (await fetch(`${b.httpBase}/readyz`)).ok);
    await until("the end of both", newsLimitMs, async () => {
      const ended = [known, bearer(revoked)].map((headers) => statusOf(b, "/api/streams", headers));
      return (await Promise.all(ended)).every((status) => status === 401);
    });
    expect(await codeOf(b, "/api/session", unknown)).toBe("ok");
  });
});

describe.skipIf(postgresPrograms === undefined)("a link that was made at one node", () => {
  test("works at the other one, and dies with its token there", async () => {
    const token = await makeToken(a);
    const put = await ask(b, "/api/streams/shared/audio", bearer(root), { method: "PUT", body: "audio" });
    expect(put.status).toBe(201);
    const made = await ask(a, "/api/streams/shared/links", bearer(token), { method: "POST" });
    expect(made.status).toBe(201);
    const { pathname, search } = new URL(((await made.json()) as { url: string }).url, a.httpBase);
    await untilListed(b, token, false);
    expect(await (await ask(b, pathname + search, {})).text()).toBe("audio");
    for (const node of [a, b]) expect(await readdir(node.cacheDir)).not.toContain("links.key");
    expect((await ask(a, `/api/tokens/${token.id}`, bearer(root), remove)).ok).toBe(true);
    await untilListed(b, token, true);
    expect(await codeOf(b, pathname + search, {})).toBe("LINK_WRONG");
  });
});
