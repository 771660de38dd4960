/** A real nginx in front of a server, which is at a path of it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";

const program = Bun.which("nginx") ?? Bun.which("nginx", { PATH: "/usr/sbin:/usr/local/sbin" });
const limitMs = 10_000;

/** Where it is missing, tests of it cannot run. */
export const hasNginx = program !== null;

export class Nginx implements AsyncDisposable {
  readonly origin: string;
  readonly #folder: string;
  readonly #process: Bun.Subprocess<"ignore", "ignore", "inherit">;

  /** `path`: such as `/wave/cache`, which nginx removes from what it passes on. */
  static async start(path: string, httpBase: string): Promise<Nginx> {
    const nginx = new Nginx(path, httpBase);
    await until("nginx answers", limitMs, async () => {
      const answer = await fetch(nginx.origin).catch(() => undefined);
      return answer !== undefined;
    });
    return nginx;
  }

  private constructor(path: string, httpBase: string) {
    const port = freePort();
    this.origin = `http://127.0.0.1:${port}`;
    this.#folder = mkdtempSync(join(tmpdir(), "wavecache-nginx-"));
    const file = join(this.#folder, "nginx.conf");
    writeFileSync(file, configuration(this.#folder, port, path, httpBase));
    const command = [program!, "-e", "stderr", "-c", file];
    this.#process = Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** As docs/security.md has it, at a path, and with all its files in one folder. */
function configuration(folder: string, port: number, path: string, httpBase: string): string {
  return `
daemon off;
user root;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port};
    location ${path}/ {
      proxy_pass ${httpBase}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      proxy_buffering off;
      proxy_request_buffering off;
      client_max_body_size 0;
    }
  }
}
`;
}
