/** Every HTTP route with no credential, a wrong, an expired and a revoked one, one for other things, and the right one. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { bearer, createToken, type MadeToken, revokeToken } from "../harness/access.ts";
import { ApiContract } from "../harness/http/contract.ts";
import { TestServer, useServers } from "../harness/server.ts";
import { until } from "../harness/until.ts";

useServers();

interface Route {
  /** As in the OpenAPI document, or `GET /metrics`. */
  name: string;
  path: string;
  /** Allows it. */
  grant: string;
  /** Allows nearly that. */
  other: string;
  /** What the right credential gets. */
  right: number;
  /** What one for other things gets: 404 where the resource may not be known. */
  refused: 403 | 404;
  body?: string;
  headers?: Record<string, string>;
}

const stream = "shared.1";
const audio = "audio";
const sha256 = new Bun.CryptoHasher("sha256").update(audio).digest("hex");
const tus = { "tus-resumable": "1.0.0" };

function route(
  name: string,
  path: string,
  [grant, other]: readonly [string, string],
  [right, refused]: readonly [number, 403 | 404],
  more: Pick<Route, "body" | "headers"> = {},
): Route {
  return { name, path, grant, other, right, refused, ...more };
}

const readOne = ["read:streams/shared.1", "read:streams/shared.2"] as const;
const removeOne = ["remove:streams/shared.1", "remove:streams/shared.2"] as const;
const removeRecording = ["remove:recordings/a", "read:recordings/a"] as const;
const control = ["control:devices/d1", "control:devices/d2"] as const;
const admin = ["admin", "read,list,remove,upload,control,metrics"] as const;

const upgrade = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": btoa("0123456789abcdef"),
};

const routes: Route[] = [
  route("GET /metrics", "/metrics", ["metrics", "read,list"], [200, 403]),
  route("POST /echo", "/echo", ["ingest:recordings/a", "read"], [200, 403], { body: "x" }),
  route("GET /live/{name}.wav", "/live/a.wav", ["listen:recordings/a", "read"], [404, 403]),
  route("GET /live/{name}.opus", "/live/a.opus", ["listen:recordings/a", "read"], [404, 403]),
  route("GET /live/{name}", "/live/a", ["listen:recordings/a", "read"], [101, 403], { headers: upgrade }),
  route("get /api/streams", "/api/streams", ["list:streams/*", "read:streams/*"], [200, 403]),
  route("post /api/streams", "/api/streams", ["upload:streams/**", "read:streams/*"], [201, 403], {
    body: "x",
  }),
  route("get /api/streams/{id}", `/api/streams/${stream}`, readOne, [200, 404]),
  route(
    "put /api/streams/{id}/audio",
    "/api/streams/put.1/audio",
    ["upload:streams/put.1", "upload:streams/put.2"],
    [201, 403],
    { body: "x" },
  ),
  route(
    "patch /api/streams/{id}",
    `/api/streams/${stream}`,
    ["upload:streams/shared.1", "upload:streams/x"],
    [200, 404],
    { body: '{"title":"x"}', headers: { "content-type": "application/json" } },
  ),
  route("get /api/streams/{id}/audio", `/api/streams/${stream}/audio`, readOne, [200, 404]),
  route("post /api/streams/{id}/links", `/api/streams/${stream}/links`, readOne, [201, 404]),
  route(
    "delete /api/streams/{id}",
    `/api/streams/put.1`,
    ["remove:streams/put.1", "remove:streams/put.2"],
    [204, 404],
  ),
  route(
    "get /api/objects/{sha256}",
    `/api/objects/${sha256}`,
    ["read:streams/shared.*", "read:streams/none"],
    [200, 404],
  ),
  route("post /api/tus", "/api/tus", ["upload:streams/**", "read:streams/*"], [201, 403], {
    headers: { ...tus, "upload-length": "1" },
  }),
  route("head /api/tus/{id}", "/api/tus/none", ["upload:streams/none", "upload:streams/x"], [404, 404], {
    headers: tus,
  }),
  route("patch /api/tus/{id}", "/api/tus/none", ["upload:streams/none", "upload:streams/x"], [404, 404], {
    headers: { ...tus, "upload-offset": "0", "content-type": "application/offset+octet-stream" },
    body: "x",
  }),
  route("delete /api/tus/{id}", "/api/tus/none", ["remove:streams/none", "remove:streams/x"], [404, 404], {
    headers: tus,
  }),
  route(
    "get /api/recordings/{id}/timeline",
    "/api/recordings/a/timeline",
    ["read:recordings/a", "read:recordings/b"],
    [404, 404],
  ),
  ...["peaks", "levels", "sounds"].map((what) =>
    route(
      `get /api/recordings/{id}/${what}`,
      `/api/recordings/a/${what}`,
      ["read:recordings/a", "read:recordings/b"],
      [what === "sounds" ? 200 : 404, 404],
    ),
  ),
  route(
    "get /api/streams/{id}/peaks",
    "/api/streams/none/peaks",
    ["read:streams/none", "read:streams/x"],
    [404, 404],
  ),
  route(
    "get /api/library/{name}/peaks",
    "/api/library/none/peaks",
    ["read:library/none", "read:library/x"],
    [404, 404],
  ),
  route(
    "post /api/recordings/{id}/links",
    "/api/recordings/a/links?from=2026-01-01&to=2026-01-02",
    ["read:recordings/a", "read:recordings/b"],
    [404, 404],
  ),
  route("get /api/live/levels", "/api/live/levels", ["listen:recordings/a", "read:recordings/a"], [200, 403]),
  route("get /api/recordings", "/api/recordings", ["list:recordings/*", "read:recordings/*"], [200, 403]),
  route(
    "get /api/recordings/{id}/audio",
    "/api/recordings/1/audio",
    ["read:recordings/*", "list:recordings/*"],
    [404, 403],
  ),
  route(
    "get /api/recordings/{id}/audio/manifest",
    "/api/recordings/a/audio/manifest?from=2026-01-01&to=2026-01-02",
    ["read:recordings/a", "read:recordings/b"],
    [404, 404],
  ),
  route(
    "delete /api/recordings/{id}",
    "/api/recordings/a?from=2026-01-01&to=2026-01-02",
    ["remove:recordings/a", "remove:recordings/b"],
    [200, 404],
  ),
  route("get /api/retention", "/api/retention", ["metrics", "read,list"], [200, 403]),
  route("get /api/retention/history", "/api/retention/history", ["metrics", "read,list"], [200, 403]),
  route("get /api/retention/plan", "/api/retention/plan", admin, [200, 403]),
  route("put /api/streams/{id}/pin", `/api/streams/${stream}/pin`, removeOne, [204, 404]),
  route("delete /api/streams/{id}/pin", `/api/streams/${stream}/pin`, removeOne, [204, 404]),
  route("put /api/recordings/{id}/pin", "/api/recordings/1/pin", removeRecording, [404, 403]),
  route("delete /api/recordings/{id}/pin", "/api/recordings/1/pin", removeRecording, [404, 403]),
  route("get /api/pins", "/api/pins", ["list:recordings/*", "read:recordings/*"], [200, 403]),
  route("put /api/pins", "/api/pins?device=a&from=1&to=2", removeRecording, [204, 403]),
  route("delete /api/pins", "/api/pins?device=a&from=1&to=2", removeRecording, [204, 403]),
  route("get /api/library", "/api/library", ["list:library/**", "read:library/**"], [200, 403]),
  route(
    "get /api/library/{name}/audio",
    "/api/library/a%2Fsong.wav/audio",
    ["read:library/a/*", "read:library/*"],
    [200, 404],
  ),
  route(
    "put /api/library/{name}",
    "/api/library/a%2Fput.wav",
    ["upload:library/a/*", "upload:library/*"],
    [201, 403],
    { body: "x" },
  ),
  route(
    "delete /api/library/{name}",
    "/api/library/a%2Fput.wav",
    ["remove:library/a/*", "remove:library/*"],
    [204, 404],
  ),
  route("get /api/events", "/api/events?follow=0", ["metrics", "read,ingest"], [200, 403]),
  route("get /api/live/devices", "/api/live/devices", ["list:devices/a", "read:devices/a"], [200, 403]),
  route("get /api/devices", "/api/devices", ["list:devices/**", "read:devices/**"], [200, 403]),
  route("get /api/devices/{id}", "/api/devices/d1", ["read:devices/d1", "read:devices/d2"], [404, 404]),
  route("post /api/devices/{id}/play", "/api/devices/d1/play", control, [404, 404]),
  route("post /api/devices/{id}/stop", "/api/devices/d1/stop", control, [404, 404]),
  route("post /api/devices/{id}/mode", "/api/devices/d1/mode", control, [404, 404]),
  route(
    "post /api/devices/{id}/buttons/{button}",
    "/api/devices/d1/buttons/stop?event=hold",
    control,
    [404, 404],
  ),
  route("get /api/tokens", "/api/tokens", admin, [200, 403]),
  route("post /api/tokens", "/api/tokens", admin, [201, 403], { body: '{"grants":["read"]}' }),
  route("delete /api/tokens/{id}", "/api/tokens/none", admin, [404, 403]),
  route("get /api/sessions", "/api/sessions", admin, [200, 403]),
  route("delete /api/sessions/{id}", "/api/sessions/none", admin, [404, 403]),
  route("get /api/audit", "/api/audit", admin, [200, 403]),
  route("get /api/recorded", "/api/recorded", ["list:recordings/*", "read:recordings/*"], [200, 403]),
  route("get /api/hooks", "/api/hooks", admin, [200, 403]),
  route("get /api/hooks/{name}/failed", "/api/hooks/none/failed", admin, [404, 403]),
  route("post /api/hooks/{name}/replay", "/api/hooks/none/replay", admin, [404, 403]),
  route("post /api/hooks/{name}/test", "/api/hooks/none/test", admin, [404, 403]),
  route("post /api/admin/reload", "/api/admin/reload", admin, [200, 403]),
];

/** Whoever asks may know this. */
const openRoutes = [
  "GET /healthz",
  "GET /readyz",
  "GET /",
  "get /api/openapi.json",
  "get /api/events/types",
  "options /api/tus",
  "options /api/tus/{id}",
  "get /api/session",
  "delete /api/session",
];

/** Needs a credential, but no grant. */
const sessionRoute = "post /api/session";

let server: TestServer;
let root: MadeToken;
let expired: MadeToken;
let revoked: MadeToken;

beforeAll(async () => {
  server = await TestServer.start();
  mkdirSync(join(server.folder, "library", "a"), { recursive: true });
  writeFileSync(join(server.folder, "library", "a", "song.wav"), "song");
  root = await createToken(server, ["*"]);
  expired = await createToken(server, ["*"], "--expires", "1s");
  revoked = await createToken(server, ["*"]);
  await revokeToken(server, revoked.id);
  const stored = await fetch(`${server.httpBase}/api/streams/${stream}/audio`, {
    method: "PUT",
    body: audio,
    headers: root.headers,
  });
  expect(stored.status).toBe(201);
  await until(
    "the token has expired",
    5_000,
    async () => (await ask("/api/streams", expired.headers)).status === 401,
  );
});

afterAll(async () => {
  await server.dispose();
});

async function ask(
  path: string,
  headers: Record<string, string> = {},
  init: RequestInit = {},
): Promise<Response> {
  return await fetch(`${server.httpBase}${path}`, { ...init, headers: { ...headers } });
}

async function send(
  { name, path, body, headers }: Route,
  credential: Record<string, string>,
): Promise<Response> {
  const method = name.split(" ")[0]!.toUpperCase();
  return await ask(path, { ...headers, ...credential }, { method, ...(body === undefined ? {} : { body }) });
}

/** Sends a request from this address. Returns its status, and which credentials it asks for. */
async function sendFrom(
  localAddress: string,
  { name, path, body, headers }: Route,
  credential: Record<string, string>,
): Promise<[number | undefined, string | undefined]> {
  const method = name.split(" ")[0]!.toUpperCase();
  const sent = request(`${server.httpBase}${path}`, {
    method,
    localAddress,
    headers: { ...headers, ...credential },
    agent: false,
  });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  answer.resume();
  return [answer.statusCode, answer.headers["www-authenticate"]];
}

/** By the server's own API: starting a command for each takes too long. */
async function tokenFor(...grants: string[]): Promise<Record<string, string>> {
  const body = JSON.stringify({ grants });
  const answer = await ask("/api/tokens", root.headers, { method: "POST", body });
  expect(answer.status).toBe(201);
  return bearer(((await answer.json()) as { token: string }).token);
}

describe("the table of routes", () => {
  test("names every operation of the API", async () => {
    const { document } = await ApiContract.open(server.httpBase);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const named = new Set([...routes.map(({ name }) => name), ...openRoutes, sessionRoute]);
    expect(operations.filter((each) => !named.has(each))).toEqual([]);
    expect(operations.length).toBeGreaterThan(20);
  });

  for (const name of openRoutes) {
    test(`${name} needs no credential`, async () => {
      const [method, path] = name.split(" ");
      expect((await ask(path!, {}, { method: method!.toUpperCase() })).ok).toBe(true);
    });
  }

  for (const [at, each] of routes.entries()) {
    test(`${each.name} is for those who may ${each.grant}`, async () => {
      for (const wrong of [{}, bearer("wc_wrong"), expired.headers, revoked.headers]) {
        // An address of its own for each route: wrong credentials are slowed down by address.
        expect(await sendFrom(`127.0.1.${at + 1}`, each, wrong)).toEqual([
          401,
          expect.stringContaining("Bearer"),
        ]);
      }
      expect((await send(each, await tokenFor(each.other))).status).toBe(each.refused);
      expect((await send(each, await tokenFor(each.grant))).status).toBe(each.right);
    });
  }
});
