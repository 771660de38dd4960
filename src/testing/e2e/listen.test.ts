/** A server with several addresses, and how scripts learn of them. */
import { describe, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../fixtures/temporary-folder.ts";
import { runServerToExit, serverEntry, TestServer, useServers } from "../harness/server.ts";
import { until, within } from "../harness/until.ts";

useServers();

async function healthOf(url: string, unix?: string): Promise<string> {
  const response = await fetch(`${url}/healthz`, unix === undefined ? {} : { unix });
  return (await response.text()).trim();
}

/** What `--ready-file` got. */
interface Ready {
  pid: number;
  ports: Record<string, number>;
  addresses: string[];
}

describe("--listen", () => {
  test("serves the main port's routes at further addresses, IPv6 among them, and on a Unix socket", async () => {
    using folder = temporaryFolder();
    const socket = join(folder.path, "http.sock");
    await using server = await TestServer.start({ flags: { listen: `[::1]:0,127.0.0.1:0,${socket}` } });
    const ports = Array.from(
      server.stdout.matchAll(/http:\/\/(\S+?)\/(?=\s)/g),
      ([, authority]) => authority!,
    );
    expect(ports).toHaveLength(3);
    for (const authority of ports) expect(await healthOf(`http://${authority}`)).toBe("ok");
    expect(await healthOf("http://localhost", socket)).toBe("ok");
    expect(statSync(socket).mode & 0o777).toBe(0o660);
    const body = { method: "POST", body: "abc", unix: socket };
    expect((await fetch("http://localhost/api/streams", body)).status).toBe(201);
    const further = ports.find((authority) => authority.startsWith("[::1]"))!;
    const upload = await fetch(`http://${further}/api/streams`, { method: "POST", body: "abcd" });
    expect(upload.status).toBe(201);
    await server.stop();
    expect(existsSync(socket)).toBe(false);
  });

  test("replaces the socket of a server that was killed, and none that is in use", async () => {
    using folder = temporaryFolder();
    const socket = join(folder.path, "http.sock");
    await using server = await TestServer.start({ flags: { listen: socket } });
    await server.kill9();
    expect(existsSync(socket)).toBe(true);
    await server.restart();
    expect(await healthOf("http://localhost", socket)).toBe("ok");
    const dirs = ["cache-dir", "recordings-dir", "library-dir"].map(
      (name) => `--${name}=${join(folder.path, name)}`,
    );
    const used = await runServerToExit(["--port=0", `--listen=${socket}`, ...dirs]);
    expect(used.stderr).toContain(`cannot listen on unix:${socket}: EADDRINUSE`);
    expect(await healthOf("http://localhost", socket)).toBe("ok");
  });

  test("counts a further address of the network as reachable by others", async () => {
    using folder = temporaryFolder();
    const dirs = ["cache-dir", "recordings-dir", "library-dir"].map(
      (name) => `--${name}=${join(folder.path, name)}`,
    );
    const { code, stderr } = await runServerToExit(["--port=0", "--listen=0.0.0.0:0", ...dirs]);
    expect(code).toBe(1);
    expect(stderr).toContain("everybody on the network could use this server");
  });
});

test("--ready-file has the ports of all gateways while the server runs", async () => {
  using folder = temporaryFolder();
  const file = join(folder.path, "ready.json");
  const free = { "ingest-port": 0, "tls-port": 0, "udp-port": 0, "grpc-port": 0 };
  await using server = await TestServer.start({ flags: { "ready-file": file, ...free } });
  const { pid, ports, addresses } = JSON.parse(readFileSync(file, "utf8")) as Ready;
  expect(pid).toBe(server.pid);
  expect(Object.keys(ports)).toEqual(["http", "ingest", "tls", "udp", "grpc"]);
  expect(new Set(Object.values(ports)).size).toBe(5);
  expect(ports).toMatchObject({ udp: server.udpPort, tls: server.tlsPort, grpc: server.grpcPort });
  expect(addresses).toContain(`http://127.0.0.1:${ports["http"]}/`);
  expect(await healthOf(`http://127.0.0.1:${ports["ingest"]}`)).toBeString();
  await server.stop();
  expect(existsSync(file)).toBe(false);
});

test.skipIf(process.platform === "win32")("--ready-fd gets the same as a line", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "fd");
  const descriptor = openSync(path, "w");
  const off = ["ingest", "udp", "tls", "grpc"].map((gateway) => `--${gateway}-port=off`);
  const child = Bun.spawn([process.execPath, serverEntry, "--port=0", "--ready-fd=3", ...off], {
    cwd: folder.path,
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  closeSync(descriptor);
  await until("the report", 10_000, () => readFileSync(path, "utf8").endsWith("\n"));
  const { ports } = JSON.parse(readFileSync(path, "utf8")) as Ready;
  expect(await healthOf(`http://127.0.0.1:${ports["http"]}`)).toBe("ok");
  child.kill("SIGTERM");
  expect(await within("the end", 10_000, child.exited)).toBe(0);
});
