/** Credentials of each kind against the real server: where they may stand, what they allow, and when they end. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SignJWT } from "jose";
import { bearer, createToken, type MadeToken, revokeToken } from "../harness/access.ts";
import { runClient } from "../harness/client-process.ts";
import { runServerToExit, TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

const issuer = "https://issuer.example";
const secret = "0123456789abcdef0123456789abcdef";
let server: TestServer;
let root: MadeToken;

beforeAll(async () => {
  const folder = await TestServer.start();
  const secretFile = join(folder.folder, "jwt.secret");
  writeFileSync(secretFile, secret, { mode: 0o600 });
  root = await createToken(folder, ["*"]);
  const flags = { "jwt-secret-file": secretFile, "jwt-issuer": issuer, anonymous: "read,list:library/**" };
  await folder.restart({ flags });
  server = folder;
  for (const id of ["kitchen-1", "kitchen-2", "hall-1", "hall-2", "hall-3"]) await put(id);
});

afterAll(async () => {
  await server.dispose();
});

async function ask(
  path: string,
  headers: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Response> {
  return await fetch(`${server.httpBase}${path}`, { ...init, headers });
}

async function put(id: string): Promise<void> {
  const stored = await ask(`/api/streams/${id}/audio`, root.headers, {
    method: "PUT",
    body: `audio of ${id}`,
  });
  expect(stored.status).toBe(201);
}

async function share(id: string, headers: Record<string, string>, expires = "1h"): Promise<string> {
  const answer = await ask(`/api/streams/${id}/links?expires=${expires}`, headers, { method: "POST" });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { url: string }).url;
}

async function jwt(
  claims: Record<string, unknown>,
  expires: string | number = "1h",
  iss = issuer,
): Promise<string> {
  const unsigned = new SignJWT({ wavecache: "read:streams/hall-1", ...claims }).setProtectedHeader({
    alg: "HS256",
  });
  return await unsigned.setIssuer(iss).setSubject("s1").setExpirationTime(expires).sign(Buffer.from(secret));
}

const audioPath = "/api/streams/hall-1/audio";

describe("a token", () => {
  test("may stand in the header, as a password, or in the query, and is not logged", async () => {
    const basic = { authorization: `Basic ${btoa(`x:${root.text}`)}` };
    expect((await ask(audioPath, root.headers)).status).toBe(200);
    expect((await ask(audioPath, basic)).status).toBe(200);
    expect((await ask(`/api/streams?token=${root.text}&limit=1`)).status).toBe(200);
    const wrong = await ask(`/api/streams?token=wc_secret_1`);
    expect([wrong.status, await wrong.text()]).toEqual([401, expect.not.stringContaining("wc_secret_1")]);
    expect((await ask(`/api/streams?token=${root.text}&lmit=1`)).status).toBe(400);
    await server.untilLogged("outcome=UNAUTHENTICATED");
    expect(server.log).not.toContain("wc_");
  });

  test("does not tell what it may not read: the answer is that for a stream that does not exist", async () => {
    const { headers } = await createToken(server, ["read,list:streams/kitchen-*"]);
    for (const path of ["", "/audio"]) {
      const hidden = await ask(`/api/streams/hall-1${path}`, headers);
      const missing = await ask(`/api/streams/hall-9${path}`, headers);
      expect([hidden.status, await hidden.text()]).toEqual([missing.status, await missing.text()]);
      expect(hidden.status).toBe(404);
    }
  });

  test("lists what it may, page by page, with no trace of the others", async () => {
    const { headers } = await createToken(server, ["list:streams/hall-2", "list:streams/kitchen-*"]);
    for (const sort of ["id", "-id", "created"]) {
      const ids: string[] = [];
      let after = "";
      for (;;) {
        const answer = await ask(
          `/api/streams?limit=3&sort=${sort}&after=${encodeURIComponent(after)}`,
          headers,
        );
        const page = (await answer.json()) as {
          streams: { streamId: string }[];
          next: string | null;
          total: null;
        };
        expect(page.total).toBeNull();
        ids.push(...page.streams.map(({ streamId }) => streamId));
        if (page.next === null) break;
        after = page.next;
        expect(`${after} ${Buffer.from(after, "base64url").toString()}`).not.toMatch(/hall-[13]/);
      }
      expect(ids.sort()).toEqual(["hall-2", "kitchen-1", "kitchen-2"]);
    }
  });

  test("that is revoked ends the WebSockets that use it", async () => {
    const { id, text } = await createToken(server, ["*"]);
    const socket = new WebSocket(`${server.url}?token=${text}`);
    const closed = new Promise<number>((resolve) =>
      socket.addEventListener("close", ({ code }) => resolve(code)),
    );
    await until("the connection is open", 5_000, () => socket.readyState === WebSocket.OPEN);
    await revokeToken(server, id);
    expect(await closed).toBe(4401);
    await server.untilLogged(`access principal=command action=admin resource=tokens/${id}`);
    expect((await ask(audioPath, bearer(text))).status).toBe(401);
  });

  test("is listed with its last use, and never with its text", async () => {
    const answer = await ask("/api/tokens", root.headers);
    const text = await answer.text();
    expect(text).not.toContain(root.text);
    const { tokens } = JSON.parse(text) as { tokens: { id: string; usedAt: string | null }[] };
    expect(tokens.find(({ id }) => id === root.id)!.usedAt).not.toBeNull();
  });
});

describe("a link", () => {
  test("reads the audio of its stream, and nothing else", async () => {
    const url = await share("hall-1", root.headers);
    expect(await (await ask(url)).text()).toBe("audio of hall-1");
    expect((await ask(url, {}, { method: "HEAD" })).status).toBe(200);
    expect((await ask(url.replace("hall-1", "hall-2"))).status).toBe(404);
    expect((await ask(url, {}, { method: "PUT", body: "x" })).status).toBe(403);
    const link = new URL(url, server.httpBase).search;
    expect((await ask(`/api/streams/hall-1/links${link}`, {}, { method: "POST" })).status).toBe(403);
    expect((await ask(`/api/session${link}`, {}, { method: "POST" })).status).toBe(403);
  });

  test("expires with 410, is refused with 403 if it is changed, and dies with the token that shared it", async () => {
    const brief = await share("hall-1", root.headers, "1s");
    await until("the link has expired", 5_000, async () => (await ask(brief)).status === 410);
    const url = await share("hall-1", root.headers);
    expect((await ask(`${url.slice(0, -5)}AAAAA`)).status).toBe(403);
    const other = await createToken(server, ["read:streams/hall-1"]);
    const shared = await share("hall-1", other.headers);
    expect((await ask(shared)).status).toBe(200);
    await revokeToken(server, other.id);
    expect((await ask(shared)).status).toBe(403);
  });
});

describe("a session", () => {
  test("stands for its token, and changes something only from a page of this server", async () => {
    const opened = await ask("/api/session", root.headers, { method: "POST" });
    const cookie = opened.headers.get("set-cookie")!;
    expect(cookie).toMatch(
      /^wavecache_session=[\w-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    const own = { cookie: cookie.split(";")[0]! };
    expect((await ask(audioPath, own)).status).toBe(200);
    const change = { method: "PUT", body: "x" };
    expect((await ask("/api/streams/s.1/audio", own, change)).status).toBe(403);
    expect(
      (await ask("/api/streams/s.1/audio", { ...own, origin: "https://evil.example" }, change)).status,
    ).toBe(403);
    expect((await ask("/api/streams/s.1/audio", { ...own, origin: server.httpBase }, change)).status).toBe(
      201,
    );
    const ended = await ask("/api/session", { ...own, origin: server.httpBase }, { method: "DELETE" });
    expect([ended.status, ended.headers.get("set-cookie")]).toEqual([
      204,
      expect.stringContaining("Max-Age=0"),
    ]);
    expect((await ask(audioPath, own)).status).toBe(401);
  });

  test("outlasts a restart of the server, and not its end", async () => {
    const open = async () => {
      const opened = await ask("/api/session", root.headers, { method: "POST" });
      return { cookie: opened.headers.get("set-cookie")!.split(";")[0]! };
    };
    const [kept, ended] = [await open(), await open()];
    const origin = server.httpBase;
    expect((await ask("/api/session", { ...ended, origin }, { method: "DELETE" })).status).toBe(204);
    await server.restart();
    expect((await ask(audioPath, kept)).status).toBe(200);
    expect((await ask(audioPath, ended)).status).toBe(401);
  });
});

describe("the list of sessions", () => {
  test("shows who is signed in, and ends a session with what it has open", async () => {
    const opened = await ask(
      "/api/session",
      { ...root.headers, "user-agent": "Test/1.0" },
      { method: "POST" },
    );
    const cookie = { cookie: opened.headers.get("set-cookie")!.split(";")[0]! };
    const text = await (await ask("/api/sessions", cookie)).text();
    expect(text).not.toContain(cookie.cookie.split("=")[1]!);
    const { sessions } = JSON.parse(text) as { sessions: { id: string; current: boolean }[] };
    const own = sessions.find(({ current }) => current)!;
    expect(own).toMatchObject({ principal: `token:${root.id}`, agent: "Test/1.0", address: "127.0.0.1" });
    const events = await ask("/api/events", cookie);
    const listed = await runClient(["sessions", "-s", server.httpBase], {
      env: { WAVECACHE_TOKEN: root.text },
    });
    expect(listed.out).toContain(own.id);
    const args = ["sessions", "end", own.id, "-s", server.httpBase];
    const ended = await runClient(args, { env: { WAVECACHE_TOKEN: root.text } });
    expect(ended.out).toBe(`ended ${own.id}\n`);
    // What follows events is cut.
    expect(await events.text()).toContain("connected");
    expect((await ask("/api/sessions", cookie)).status).toBe(401);
    expect((await ask(`/api/sessions/${own.id}`, root.headers, { method: "DELETE" })).status).toBe(404);
  });
});

describe("a JWT", () => {
  test("has the grants of its claim", async () => {
    for (const wavecache of ["read:streams/hall-1", ["list:library/**", "read:streams/hall-*"]]) {
      const headers = bearer(await jwt({ wavecache }));
      expect((await ask(audioPath, headers)).status).toBe(200);
      expect((await ask("/api/streams/kitchen-1/audio", headers)).status).toBe(404);
      expect((await ask(audioPath, headers)).status).toBe(200);
    }
  });

  test("is refused when it is of another issuer, expired, without grants, unsigned or changed", async () => {
    const now = Math.floor(Date.now() / 1000);
    const right = await jwt({});
    const unsigned = `${btoa('{"alg":"none"}').replaceAll("=", "")}.${right.split(".")[1]}.AA`;
    expect((await ask(audioPath, bearer(await jwt({}, now - 30)))).status).toBe(200);
    for (const wrong of [
      await jwt({}, "1h", "https://other.example"),
      await jwt({}, now - 61),
      unsigned,
      `${right}x`,
    ])
      expect((await ask(audioPath, bearer(wrong))).status).toBe(401);
    expect((await ask(audioPath, bearer(await jwt({ wavecache: "" })))).status).toBe(404);
  });
});

describe("a WebSocket", () => {
  test("needs a credential with some grant for its gateway, before the upgrade", async () => {
    const { headers } = await createToken(server, ["metrics"]);
    const handshake = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": btoa("0123456789abcdef"),
    };
    for (const path of ["/audio", "/", "/ws", "/ws/kitchen", "/ws/echo"]) {
      expect((await ask(path, handshake)).status).toBe(401);
      expect((await ask(path, { ...handshake, ...headers })).status).toBe(403);
    }
  });
});

describe("anonymous", () => {
  test("may do on a closed server what --anonymous says", async () => {
    expect((await ask("/api/library")).status).toBe(200);
    expect((await ask("/api/streams")).status).toBe(401);
  });
});

describe("behind a proxy", () => {
  test("a client has the address that a trusted proxy has seen, and no other", async () => {
    const anonymous = "list:streams/**@192.0.2.0/24";
    await using other = await TestServer.start({
      flags: { anonymous, "trust-proxy": "127.0.0.0/8,10.0.0.0/8" },
    });
    await createToken(other, ["*"]);
    await other.restart();
    const statusFrom = async (forwarded: string) => {
      const headers = { "x-forwarded-for": forwarded };
      return (await fetch(`${other.httpBase}/api/streams`, { headers })).status;
    };
    expect(await statusFrom("192.0.2.7")).toBe(200);
    expect(await statusFrom("192.0.2.7, 10.0.0.5")).toBe(200);
    expect(await statusFrom("192.0.2.7, 198.51.100.7")).toBe(401);
    expect((await fetch(`${other.httpBase}/api/streams`)).status).toBe(401);
    await using untrusting = await TestServer.start({ flags: { anonymous } });
    await createToken(untrusting, ["*"]);
    await untrusting.restart();
    const headers = { "x-forwarded-for": "192.0.2.7" };
    expect((await fetch(`${untrusting.httpBase}/api/streams`, { headers })).status).toBe(401);
  });
});

describe("a server that others reach", () => {
  const flags = ["--host", "0.0.0.0", "--port", "0"];

  test("does not start before it is said who may use it", async () => {
    const folders = [
      "--cache-dir",
      join(server.folder, "other"),
      "--recordings-dir",
      join(server.folder, "r2"),
    ];
    const run = await runServerToExit(
      [...flags, ...folders, "--library-dir", join(server.folder, "library")],
      {},
      15_000,
    );
    expect(run.code).toBe(1);
    expect(run.stderr).toContain("server token create");
    expect(run.stderr).toContain("--open");
  });

  test("starts with a token, and closed, or with --open", async () => {
    await using other = await TestServer.start({ flags: { host: "0.0.0.0", open: "true" } });
    const base = `http://127.0.0.1:${new URL(other.httpBase).port}`;
    expect((await fetch(`${base}/api/streams`)).status).toBe(200);
    await createToken(other, ["*"]);
    expect((await fetch(`${base}/api/streams`)).status).toBe(200);
    await other.restart({ flags: { host: "0.0.0.0" } });
    expect((await fetch(`http://127.0.0.1:${new URL(other.httpBase).port}/api/streams`)).status).toBe(401);
  });
});

describe("wrong credentials", () => {
  test("are refused with 429 after twenty of them, and right ones still count", async () => {
    const statuses = new Set<number>();
    for (let left = 25; left > 0; left--) statuses.add((await ask(audioPath, bearer("wc_wrong"))).status);
    expect([...statuses]).toEqual([401, 429]);
    expect((await ask(audioPath, root.headers)).status).toBe(200);
    const { entries } = (await (await ask("/api/audit?limit=1", root.headers)).json()) as {
      entries: object[];
    };
    expect(entries[0]).toMatchObject({ principal: "unknown", action: "authenticate", address: "127.0.0.1" });
  });

  test("close nobody out of an open server, whose first token closes it at once", async () => {
    await using open = await TestServer.start();
    const socket = new WebSocket(open.url);
    const closed = new Promise<number>((resolve) =>
      socket.addEventListener("close", ({ code }) => resolve(code)),
    );
    await until("the connection is open", 5_000, () => socket.readyState === WebSocket.OPEN);
    expect((await fetch(`${open.httpBase}/api/streams`)).status).toBe(200);
    await createToken(open, ["*"]);
    expect((await fetch(`${open.httpBase}/api/streams`)).status).toBe(401);
    expect(await closed).toBe(4401);
  });
});
