/** A copy of the project as a reader of its documents has it, with a server behind the addresses that stand in them. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type CodeBlock, projectFolder } from "./documents.ts";
import { TestServer } from "./server.ts";
import { within } from "./until.ts";

const blockLimitMs = 30_000;
const linked = ["src", "workers", "docs", "node_modules", "package.json", "data/samples"];

export interface Outcome {
  code: number;
  /** Standard output, then standard error. */
  text: string;
}

export class DocumentSite {
  readonly #server: TestServer;
  readonly #folder: string;
  readonly #ports: Ports;
  readonly #background: Bun.Subprocess[] = [];

  static async open(): Promise<DocumentSite> {
    const ports = { "ingest-port": 0, "udp-port": 0, "tls-port": 0, "grpc-port": 0 };
    const server = await TestServer.start({ flags: { ...ports, "sync-seconds": 1 } });
    try {
      return new DocumentSite(server);
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }

  private constructor(server: TestServer) {
    this.#server = server;
    this.#ports = portsOf(server);
    this.#folder = join(server.folder, "project");
    mkdirSync(join(this.#folder, "data"), { recursive: true });
    for (const name of linked) symlinkSync(join(projectFolder, name), join(this.#folder, name));
    symlinkSync(server.cacheDir, join(this.#folder, "cache"));
    symlinkSync(join(server.folder, "library"), join(this.#folder, "data/library"));
    symlinkSync(join(server.folder, "received"), join(this.#folder, "data/received"));
  }

  /** Starts a block that goes on until this is disposed. */
  start(block: CodeBlock): void {
    this.#background.push(this.#spawn(block));
  }

  async run(block: CodeBlock): Promise<Outcome> {
    const child = this.#spawn(block);
    try {
      const all = Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
      const [out, err, code] = await within(block.text, blockLimitMs, all);
      return { code, text: `${out}${err}` };
    } finally {
      endGroup(child);
    }
  }

  async dispose(): Promise<void> {
    for (const child of this.#background) endGroup(child);
    await Promise.all(this.#background.map((child) => child.exited));
    await this.#server.dispose();
  }

  #spawn(block: CodeBlock) {
    const text = withPorts(block.text, this.#ports);
    return Bun.spawn(commandOf(block.language, text, this.#folder), {
      cwd: this.#folder,
      env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env["PATH"] ?? ""}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      // A process group of its own, so that what a block starts ends with it.
      detached: true,
    });
  }
}

function commandOf(language: string, text: string, folder: string): string[] {
  if (language === "sh") return ["bash", "-euo", "pipefail", "-c", text];
  if (language !== "ts") throw new Error(`nothing runs a block of ${language}`);
  const file = join(folder, `block-${Bun.hash(text)}.ts`);
  writeFileSync(file, text);
  return [process.execPath, "run", file];
}

function endGroup(child: Bun.Subprocess): void {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // The whole group has ended already.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** The ports of a server that runs with the defaults, as the documents name them. */
const patterns = {
  "8080": /\bhttp:\S+:(\d+)\//,
  "5096": /\bws:\S+:(\d+)\/ws\b/,
  "9998": /\budp:\S+:(\d+)/,
  "9999": /\btls:\S+:(\d+)/,
  "50051": /\bgrpc:\S+:(\d+)/,
};

type Ports = Record<keyof typeof patterns, string>;

function portsOf(server: TestServer): Ports {
  const ready = /ready (.*)/.exec(server.log)?.[1] ?? "";
  const found = Object.entries(patterns).map(([port, pattern]) => {
    const actual = pattern.exec(ready)?.[1];
    if (actual === undefined) throw new Error(`no ${pattern} in: ${ready}`);
    return [port, actual];
  });
  return Object.fromEntries(found) as Ports;
}

/** The text with the server's ports, also where a command of the client relies on its default address. */
function withPorts(text: string, ports: Ports): string {
  const named = text
    .replace(/\blocalhost([: ])(8080|5096|9998|9999|50051)\b/g, (_, separator, port: keyof Ports) => {
      return `localhost${separator}${ports[port]}`;
    })
    .replace(/--udp localhost(?!:)/g, `--udp localhost:${ports["9998"]}`)
    .replace(/--tls localhost(?!:)/g, `--tls localhost:${ports["9999"]}`);
  return named.replace(/\bbun run client(?: ([a-z]+))?\b([^\n|]*)/g, (whole, command = "", rest: string) => {
    const [flag, address] = defaultAddress(command, ports);
    const hasAddress = /\b(?:ws|http):\/\/|--(?:udp|tls) /.test(rest) || rest.includes(`${flag} `);
    if (hasAddress) return whole;
    return `bun run client ${command} ${flag} ${address}${rest}`;
  });
}

function defaultAddress(command: string, ports: Ports): [flag: string, address: string] {
  switch (command) {
    case "stream":
      return ["--url", `ws://localhost:${ports["5096"]}/ws`];
    case "device":
      return ["--grpc", `localhost:${ports["50051"]}`];
    case "song":
      return ["--udp", `localhost:${ports["9998"]}`];
    default:
      return ["--server", `ws://localhost:${ports["8080"]}/audio`];
  }
}
