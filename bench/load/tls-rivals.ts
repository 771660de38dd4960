/** Other servers, from the machine's packages, that send a file over TLS, for comparison with songs over TLS. */
import { freePort } from "../../src/testing/harness/free-port.ts";
import { join } from "node:path";
import { connect } from "node:tls";
import type { CertificatePaths } from "../../src/listen/tls/certificate-files.ts";
import { until } from "../../src/testing/harness/until.ts";

/** A server that sends one file to any client that requests it. */
export interface FileServer extends AsyncDisposable {
  name: string;
  port: number;
  pid: number;
  /** The client's request for the file. */
  request: string;
}

const readyLimitMs = 5_000;

/** The installed servers, each with the file `name` of `folder`; they exit when disposed. */
export async function openRivals(
  folder: string,
  name: string,
  paths: CertificatePaths,
): Promise<FileServer[]> {
  const request = `GET /${name} HTTP/1.0\r\n\r\n`;
  const rivals: FileServer[] = [];
  for (const start of [startNginx, startOpenssl]) {
    const port = freePort();
    const rival = await start(folder, port, paths);
    if (rival === undefined) continue;
    const { name: program, child } = rival;
    if (await listens(program, port)) {
      rivals.push({ name: program, port, pid: child.pid, request, [Symbol.asyncDispose]: () => end(child) });
    } else {
      await end(child);
    }
  }
  return rivals;
}

/** False, with a message, for a server that cannot run here: it may be built without TLS. */
async function listens(program: string, port: number): Promise<boolean> {
  try {
    return await until(`${program} listens`, readyLimitMs, () => answers(port));
  } catch (error) {
    process.stderr.write(`left out: ${error instanceof Error ? error.message : String(error)}\n`);
    return false;
  }
}

interface Started {
  name: string;
  child: Bun.Subprocess;
}

async function startNginx(
  folder: string,
  port: number,
  paths: CertificatePaths,
): Promise<Started | undefined> {
  if (Bun.which("nginx") === null) return undefined;
  const config = join(folder, "nginx.conf");
  const places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  await Bun.write(
    config,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log; events {}
    http {
      access_log off; sendfile on;
      ${places.map((place) => `${place}_temp_path ${folder}/nginx-${place};`).join(" ")}
      server {
        listen 127.0.0.1:${port} ssl; root ${folder};
        ssl_certificate ${paths.cert}; ssl_certificate_key ${paths.key}; ssl_protocols TLSv1.2 TLSv1.3;
      }
    }`,
  );
  return { name: "nginx", child: spawn(["nginx", "-c", config], folder) };
}

function startOpenssl(folder: string, port: number, paths: CertificatePaths): Promise<Started | undefined> {
  if (Bun.which("openssl") === null) return Promise.resolve(undefined);
  const files = ["-cert", paths.cert, "-key", paths.key];
  const command = ["openssl", "s_server", "-WWW", "-quiet", "-accept", `127.0.0.1:${port}`, ...files];
  return Promise.resolve({ name: "openssl s_server", child: spawn(command, folder) });
}

function spawn(command: string[], cwd: string): Bun.Subprocess {
  return Bun.spawn(command, { cwd, stdin: "ignore", stdout: "ignore", stderr: "ignore" });
}

async function end(child: Bun.Subprocess): Promise<void> {
  child.kill();
  await child.exited;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
