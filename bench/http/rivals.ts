/** Other servers that send or take files over plain HTTP, where they are installed. */
import { freePort } from "../../src/testing/harness/free-port.ts";
import { join } from "node:path";
import { type Observed, observedProcess } from "../load/figures.ts";
import { until } from "../../src/testing/harness/until.ts";

/** A server that sends the files of a folder, or takes uploads over tus. */
export interface Rival extends AsyncDisposable {
  name: string;
  /** `http://HOST:PORT` */
  httpBase: string;
  observed: Observed;
}

const readyLimitMs = 10_000;

/** nginx sends the files of `folder` by sendfile; undefined where it is not installed. */
export async function openNginx(folder: string): Promise<Rival | undefined> {
  if (Bun.which("nginx") === null) return undefined;
  const port = freePort();
  const config = join(folder, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await Bun.write(
    config,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; events {}
    http {
      access_log off; sendfile on; tcp_nopush on;
      ${temporary.map((name) => `${name}_temp_path ${folder}/nginx-${name};`).join(" ")}
      server { listen 127.0.0.1:${port}; root ${folder}; }
    }`,
  );
  return await openRival("nginx", ["nginx", "-c", config], port);
}

/** A bare `Bun.serve` that answers with the files of `folder`. */
export async function openBareFiles(folder: string): Promise<Rival> {
  const port = freePort();
  const program = `Bun.serve({ hostname: "127.0.0.1", port: ${port},
    fetch: (request) => new Response(Bun.file(${JSON.stringify(folder)} + new URL(request.url).pathname)) })`;
  return await openRival("bare Bun.file", [process.execPath, "-e", program], port);
}

/** tusd keeps uploads in `folder`; it neither hashes nor syncs them. Undefined where it is not installed. */
export async function openTusd(folder: string, program: string): Promise<Rival | undefined> {
  const path = Bun.which(program);
  if (path === null) return undefined;
  const port = freePort();
  const flags = ["-host", "127.0.0.1", "-port", String(port), "-upload-dir", folder, "-disable-download"];
  return await openRival("tusd", [path, ...flags, "-base-path", "/api/tus/"], port);
}

async function openRival(name: string, command: string[], port: number): Promise<Rival> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  const httpBase = `http://127.0.0.1:${port}`;
  await until(`${name} answers`, readyLimitMs, () => answers(httpBase));
  return {
    name,
    httpBase,
    observed: observedProcess(child.pid),
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

async function answers(httpBase: string): Promise<boolean> {
  return await fetch(httpBase).then(
    () => true,
    () => false,
  );
}
