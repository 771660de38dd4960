/** Which Host names and which pages the server answers, and the headers of every answer, seen as bytes. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rawHttp, type RawResponse } from "../harness/http/raw-http.ts";
import { RawWebSocket } from "../harness/peers/raw-websocket.ts";
import { TestServer, useServers } from "../harness/server.ts";

useServers();

let server: TestServer;
let port: number;
let ingestPort: number;

beforeAll(async () => {
  server = await TestServer.start({
    flags: {
      "ingest-port": 0,
      "grpc-port": 0,
      "allow-host": "music.example,*.home.example",
      "allow-origin": "https://player.example,file://",
    },
  });
  port = Number(new URL(server.url).port);
  ingestPort = Number(/ws:\/\/127\.0\.0\.1:(\d+)\/ws(?=\s)/.exec(server.stdout)![1]);
});

afterAll(async () => await server.dispose());

type HeaderLines = Record<string, string>;

function get(path: string, headers: HeaderLines, method = "GET", at = port): Promise<RawResponse> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return rawHttp(at, `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}

function codeOf({ body }: RawResponse): unknown {
  return JSON.parse(body).error.code;
}

const upgrade = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
};

describe("a Host header", () => {
  test.each([
    ["localhost"],
    ["LOCALHOST:1"],
    ["a.localhost"],
    ["127.0.0.1:8080"],
    ["[::1]:8080"],
    ["192.168.1.1"],
    ["music.example"],
    ["attic.home.example:8080"],
  ])("that is a name of this server is answered: %s", async (Host) => {
    expect((await get("/api/streams", { Host })).status).toBe(200);
    expect((await get("/healthz", { Host })).status).toBe(200);
  });

  test.each([
    ["evil.example"],
    ["evil.example:8080"],
    ["localhost."],
    ["127.0.0.1."],
    ["localhost.evil.example"],
    ["home.example"],
    ["127.1"],
    ["x"],
  ])("that is another name is refused before routing: %s", async (Host) => {
    for (const path of ["/", "/api/streams", "/healthz", "/nowhere", "/metrics"]) {
      const response = await get(path, { Host });
      expect(response.status).toBe(421);
      expect(codeOf(response)).toBe("HOST_REFUSED");
    }
  });

  test.each([
    [""],
    ["a b"],
    ["localhost, evil.example"],
    ["user@localhost"],
    ["localhost@evil.example"],
    ["localhost/x"],
    ["localhost:99999"],
    ["localhost:x"],
    ["[::1%eth0]:80"],
    ["[::1"],
    ["::1"],
    ["\xff\xfe"],
  ])("that is malformed is refused: %j", async (Host) => {
    const response = await get("/api/streams", { Host });
    expect(response.status).toBe(400);
    expect(codeOf(response)).toBe("BAD_HOST");
  });

  test("that is missing or repeated is refused", async () => {
    expect((await rawHttp(port, "GET / HTTP/1.1\r\n\r\n")).status).toBe(400);
    expect((await rawHttp(port, "GET / HTTP/1.0\r\n\r\n")).status).toBe(400);
    const twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    expect((await rawHttp(port, twice)).status).toBe(400);
  });

  test("is needed for everything but the state of the server, which load balancers ask for by HTTP/1.0", async () => {
    for (const path of ["/healthz", "/readyz"])
      expect((await rawHttp(port, `GET ${path} HTTP/1.0\r\n\r\n`)).status).toBe(200);
    expect((await get("/healthz", { Host: "a b" })).status).toBe(400);
    expect((await rawHttp(port, "GET /api/streams HTTP/1.0\r\n\r\n")).status).toBe(400);
  });

  test("counts for targets with a host of their own, too", async () => {
    const evil = "GET http://localhost/api/streams HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    expect((await rawHttp(port, evil)).status).toBe(421);
    const tunnel = "CONNECT evil.example:99999 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    expect((await rawHttp(port, tunnel)).status).toBe(426);
  });

  test("of a device that opens a WebSocket without an Origin may be anything", async () => {
    for (const Host of ["x", "evil.example", "a b", ""]) {
      expect((await get("/audio", { Host, ...upgrade })).status).toBe(101);
      expect((await get("/ws/device", { Host, ...upgrade }, "GET", ingestPort)).status).toBe(101);
    }
  });

  test("of a page that opens a WebSocket may not", async () => {
    const own = { Host: "evil.example", Origin: "http://evil.example", ...upgrade };
    expect((await get("/audio", own)).status).toBe(421);
    expect((await get("/ws", own, "GET", ingestPort)).status).toBe(421);
  });
});

const routes: [method: string, path: string][] = [
  ["GET", "/api/streams"],
  ["GET", "/api/streams/x"],
  ["DELETE", "/api/streams/x"],
  ["GET", "/api/recordings"],
  ["GET", "/api/library"],
  ["GET", "/api/devices"],
  ["POST", "/api/devices/x/play"],
  ["GET", "/live/x.wav"],
  ["GET", "/metrics"],
  ["POST", "/echo"],
  ["OPTIONS", "/api/streams/x"],
  ["GET", "/nowhere"],
  ["POST", "/"],
];

describe("a page of another origin", () => {
  const foreign = [
    "http://localhost:3000",
    "http://evil.example",
    "null",
    "file:///",
    "",
    "https://localhost",
  ];

  test.each(routes)("gets nothing of %s %s", async (method, path) => {
    for (const Origin of foreign) {
      const response = await get(path, { Host: `localhost:${port}`, Origin }, method);
      expect(response.status).toBe(403);
      expect(codeOf(response)).toBe("FOREIGN_ORIGIN");
      expect(response.headers.get("access-control-allow-origin")).toBeNull();
    }
  });

  test.each([["/audio"], ["/ws"], ["/ws/device"], ["/ws/echo"], ["/nowhere"]])(
    "opens no WebSocket at %s",
    async (path) => {
      for (const at of path.startsWith("/ws") ? [port, ingestPort] : [port]) {
        for (const Origin of foreign) {
          const headers = {
            Host: `localhost:${at}`,
            Origin,
            "Sec-WebSocket-Protocol": "wavecache.v1",
            ...upgrade,
          };
          expect((await get(path, headers, "GET", at)).status).toBe(403);
        }
      }
    },
  );

  test.each([["cross-site"], ["same-site"]])(
    "gets nothing without an Origin either, if it is %s",
    async (site) => {
      for (const [method, path] of routes) {
        const response = await get(path, { Host: "localhost", "Sec-Fetch-Site": site }, method);
        expect(response.status).toBe(403);
      }
    },
  );

  test("may link to the page of this server, but not show it in a frame", async () => {
    const link = { Host: "localhost", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate" };
    for (const path of ["/", "/streams/my-song?t=12.5", "/live"]) {
      expect((await get(path, { ...link, "Sec-Fetch-Dest": "document" })).status).toBe(200);
    }
    expect((await get("/", { ...link, "Sec-Fetch-Dest": "iframe" })).status).toBe(403);
    expect((await get("/api/streams", { ...link, "Sec-Fetch-Dest": "document" })).status).toBe(403);
  });

  test("may ask whether the server runs", async () => {
    expect((await get("/healthz", { Host: "localhost", Origin: "http://evil.example" })).status).toBe(200);
  });
});

describe("a page of this server, or of an allowed origin", () => {
  test("may use every route", async () => {
    const Host = `localhost:${port}`;
    for (const Origin of [`http://${Host}`, "https://player.example", "file://"]) {
      expect((await get("/api/streams", { Host, Origin })).status).toBe(200);
      expect((await get("/api/streams/x", { Host, Origin }, "DELETE")).status).toBe(404);
      expect((await get("/audio", { Host, Origin, ...upgrade })).status).toBe(101);
    }
    expect((await get("/api/streams", { Host, "Sec-Fetch-Site": "same-origin" })).status).toBe(200);
  });

  test("may read the answers if it is allowed, and asks first where browsers do", async () => {
    const page = { Host: "localhost", Origin: "https://player.example" };
    const { headers } = await get("/api/streams", page);
    expect(headers.get("access-control-allow-origin")).toBe("https://player.example");
    expect(headers.get("vary")).toBe("Origin");
    const preflight = { ...page, "Access-Control-Request-Method": "DELETE" };
    const answer = await get("/api/streams/x", preflight, "OPTIONS");
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-methods")).toContain("DELETE");
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://player.example");
  });
});

test("every HTTP answer has the headers that keep browsers from embedding and guessing", async () => {
  const own = { Host: "localhost" };
  const answers = [
    ...(await Promise.all(routes.map(([method, path]) => get(path, own, method)))),
    await get("/", own),
    await get("/healthz", own),
    await get("/audio", own),
    await get("/ws", own, "GET", ingestPort),
    await get("/", { Host: "evil.example" }),
    await get("/api/streams", { ...own, Origin: "null" }),
    await get("/audio", { ...own, ...upgrade, "Sec-WebSocket-Key": "short" }),
  ];
  for (const { headers } of answers) {
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("content-security-policy")).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/);
  }
});

test("the gRPC port answers nothing to HTTP/1.1, which is all that a page can send there", async () => {
  const own = { Host: `localhost:${server.grpcPort}` };
  for (const headers of [
    own,
    { ...own, Upgrade: "h2c", Connection: "Upgrade, HTTP2-Settings", "HTTP2-Settings": "" },
  ]) {
    expect((await get("/", headers, "GET", server.grpcPort)).body).not.toContain("HTTP/1.1");
    expect((await get("/", headers, "POST", server.grpcPort)).status).toBeNaN();
  }
});

test("the echo of a page is no page", async () => {
  const page = "<script>alert(1)</script>";
  const request = `POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/html\r\nContent-Length: ${page.length}\r\n\r\n${page}`;
  const { headers, body } = await rawHttp(port, request);
  expect(body).toBe(page);
  expect(headers.get("content-type")).toBe("application/octet-stream");
});

test("refusals are counted and logged as a few warnings, never as errors", async () => {
  const { body } = await get("/metrics", { Host: "localhost" });
  expect(body).toMatch(/wavecache_errors_total\{door="listener",code="FOREIGN_ORIGIN"\} [1-9]/);
  expect(body).toMatch(/wavecache_errors_total\{door="listener",code="HOST_REFUSED"\} [1-9]/);
  const refused = server.log.split("\n").filter((line) => line.includes("a request is refused"));
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(20);
  expect(server.log).not.toMatch(/Z [EF] wavecache/);
  using socket = await RawWebSocket.open(server.url);
  expect(socket.response.status).toBe(101);
});
