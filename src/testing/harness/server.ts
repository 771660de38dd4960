/**
 * The real server as a process in a temporary folder: started, stopped, killed and started again on the same folder.
 * Whatever a test does, no process and no folder stays behind.
 */
import { afterAll, setDefaultTimeout } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { postgresServer } from "./servers/postgres.ts";
import { testLimitMs, until, within } from "./until.ts";

const projectFolder = resolve(import.meta.dir, "../../..");
export const serverEntry = join(projectFolder, "src/main.ts");
const sourceProgram = [process.execPath, "run", serverEntry];

const readyLimitMs = 10_000;
/** The server promises to exit within 10 s. */
const stopLimitMs = 10_000;

export interface ServerOptions {
  /** Flags besides the folders and the port, without their dashes. */
  flags?: Record<string, string | number>;
  env?: Record<string, string>;
  /** The beginning of a command that runs the server, for example one that mounts a file system first. */
  launcher?: (folder: string) => string[];
  /** The cache folder, relative to the server's folder. */
  cacheFolder?: string;
  /** The command that runs the server, of an installation; its source by default. */
  program?: string[];
}

export interface ServerMemory {
  /** Resident memory, including mapped files, which the kernel can reclaim at any time. */
  residentBytes: number;
  /** The server's own memory: its heap, and memory that its threads share. */
  ownBytes: number;
}

interface RunningServer {
  subprocess: Bun.Subprocess<"ignore", "pipe", "pipe">;
  output: Output;
  exit: Promise<number>;
}

const running = new Set<RunningServer>();
const folders = new Set<string>();

/**
 * Call this at the top of a test file. Its tests then end by their own limits, which say what they waited for, before
 * the runner's limit does. Whatever a timed-out test leaves behind is removed after the file.
 */
export function useServers(): void {
  setDefaultTimeout(testLimitMs);
  afterAll(async () => {
    for (const server of running) server.subprocess.kill("SIGKILL");
    await Promise.all(Array.from(running, (server) => server.exit));
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    folders.clear();
  });
}

// A signal to the runner leaves tests no time to clean up.
process.on("exit", () => {
  for (const server of running) server.subprocess.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

export class TestServer {
  readonly folder: string;
  readonly cacheDir: string;
  private options: ServerOptions;
  private current: RunningServer | undefined;
  /** `WAVECACHE_TEST_CATALOG=postgres` runs every test on a catalog in PostgreSQL. */
  private readonly catalogUrl =
    process.env["WAVECACHE_TEST_CATALOG"] === "postgres" ? postgresServer().createSchema() : undefined;
  private address = "";

  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const folder = mkdtempSync(join(tmpdir(), "wavecache-e2e-"));
    folders.add(folder);
    const server = new TestServer(folder, options);
    try {
      await server.launch();
      return server;
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }

  private constructor(folder: string, options: ServerOptions) {
    this.folder = folder;
    this.options = options;
    this.cacheDir = join(folder, options.cacheFolder ?? "cache");
  }

  private spawn(): RunningServer {
    const { flags = {}, env = {}, launcher, program = sourceProgram } = this.options;
    const before = launcher?.(this.folder) ?? [];
    const server = spawnServer([...before, ...program, ...this.flagsOf(flags)], env);
    this.current = server;
    this.address = "";
    return server;
  }

  /** Starts the server, which must not run, and kills it after this time, wherever its start is by then. */
  async killDuringStart(afterMs: number): Promise<void> {
    this.spawn();
    await Bun.sleep(afterMs);
    await this.kill9();
  }

  private async launch(): Promise<void> {
    const { output } = this.spawn();
    this.address = await until(
      "a line that says ready",
      readyLimitMs,
      () => {
        if (output.isOver()) throw new Error(`server ended before it was ready: ${output.text()}`);
        return output.readyAddress();
      },
      () => `the server said: ${output.text()}`,
    );
  }

  private flagsOf(flags: Record<string, string | number>): string[] {
    const all: Record<string, string | number> = {
      ...(this.catalogUrl === undefined ? {} : { catalog: this.catalogUrl }),
      host: "127.0.0.1",
      port: 0,
      "cache-dir": this.cacheDir,
      "recordings-dir": join(this.folder, "received"),
      "library-dir": join(this.folder, "library"),
      workers: 2,
      "log-level": "info",
      "log-format": "text",
      ...flags,
    };
    return Object.entries(all).flatMap(([name, value]) => [`--${name}`, String(value)]);
  }

  /** `ws://127.0.0.1:PORT/audio`, or `wss:` with `--tls`. */
  get url(): string {
    return this.address;
  }

  /** `http://127.0.0.1:PORT`, or `https:` with `--tls`, without a trailing slash. */
  get httpBase(): string {
    const { host, protocol } = new URL(this.address);
    return `${protocol.replace("ws", "http")}//${host}`;
  }

  /** The port of the device gateway, which the flag `grpc-port` opens. */
  get grpcPort(): number {
    return this.portOf("grpcs?");
  }

  /** The ports of songs, which the flags `tls-port` and `udp-port` open. */
  get tlsPort(): number {
    return this.portOf("tls");
  }

  get udpPort(): number {
    return this.portOf("udp");
  }

  private portOf(scheme: string): number {
    const port = new RegExp(`\\b${scheme}://\\S+:(\\d+)`).exec(this.stdout)?.[1];
    if (port === undefined) throw new Error(`no ${scheme} port in: ${this.log}`);
    return Number(port);
  }

  get pid(): number {
    return this.process.subprocess.pid;
  }

  /** All output of this run of the server, stdout and stderr. */
  get log(): string {
    return this.process.output.text();
  }

  /** Waits until the log has this: the server writes its lines after what they are about, not before. */
  async untilLogged(wanted: string | RegExp, limitMs = 10_000): Promise<void> {
    const found = () => (typeof wanted === "string" ? this.log.includes(wanted) : wanted.test(this.log));
    await until(`"${wanted}" in the log`, limitMs, found);
  }

  get stdout(): string {
    return this.process.output.stdout;
  }

  get isRunning(): boolean {
    return this.current !== undefined && running.has(this.current);
  }

  private get process(): RunningServer {
    if (this.current === undefined) throw new Error("the server was never started");
    return this.current;
  }

  /** Sends a signal and returns the exit code. Kills a server that does not exit in time, and throws. */
  async stop(signal: "SIGTERM" | "SIGINT" | "SIGQUIT" = "SIGTERM"): Promise<number> {
    this.process.subprocess.kill(signal);
    return await this.waitForExit(stopLimitMs);
  }

  /** The exit code, or 128 plus the signal's number if it was killed. */
  async waitForExit(limitMs: number): Promise<number> {
    try {
      return await within("the server's exit", limitMs, this.process.exit, () => this.log);
    } catch (error) {
      await this.kill9();
      throw error;
    }
  }

  async kill9(): Promise<void> {
    this.process.subprocess.kill("SIGKILL");
    await this.process.exit;
  }

  /** Starts the server again on the same folder, with new options if given; stops it first if it runs. */
  async restart(changes: ServerOptions = {}): Promise<void> {
    if (this.isRunning) await this.stop();
    this.options = { ...this.options, ...changes };
    await this.launch();
  }

  /** Memory of the process as Linux accounts for it. */
  async memory(): Promise<ServerMemory> {
    const status = await readFile(`/proc/${this.pid}/status`, "utf8");
    const kibibytes = (field: string): number => {
      const value = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1];
      if (value === undefined) throw new Error(`no ${field} in /proc/${this.pid}/status`);
      return Number(value) * 1024;
    };
    return { residentBytes: kibibytes("VmRSS"), ownBytes: kibibytes("RssAnon") + kibibytes("RssShmem") };
  }

  async dispose(): Promise<void> {
    if (this.isRunning) await this.kill9();
    rmSync(this.folder, { recursive: true, force: true });
    folders.delete(this.folder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

export interface FinishedRun {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the server's command line until it exits; kills it at the limit. */
export async function runServerToExit(
  args: string[],
  env: Record<string, string> = {},
  limitMs = 5_000,
  launcher: string[] = [],
): Promise<FinishedRun> {
  const server = spawnServer([...launcher, ...sourceProgram, ...args], env);
  try {
    const code = await within("the program's end", limitMs, server.exit, () => server.output.text());
    return { code, stdout: server.output.stdout, stderr: server.output.stderr };
  } finally {
    server.subprocess.kill("SIGKILL");
    await server.exit;
  }
}

function spawnServer(command: string[], env: Record<string, string>): RunningServer {
  const subprocess = Bun.spawn([...orphanGuard(), ...command], {
    cwd: projectFolder,
    env: { ...environmentWithoutSettings(), ...gatewaysOff, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = new Output(subprocess);
  const server: RunningServer = { subprocess, output, exit: exitCode(subprocess, output) };
  running.add(server);
  void server.exit.finally(() => running.delete(server));
  return server;
}

/** Resolves once the process has exited and all its output has been read. */
async function exitCode(subprocess: RunningServer["subprocess"], output: Output): Promise<number> {
  const code = await subprocess.exited;
  await output.finished;
  return code;
}

/** A command that makes the kernel kill the server if the test runner is killed, where that exists. */
function orphanGuard(): string[] {
  const setpriv = process.platform === "linux" ? Bun.which("setpriv") : null;
  return setpriv === null ? [] : [setpriv, "--pdeathsig", "KILL", "--"];
}

/** Optional listeners stay closed unless a test's flags open them: servers of several tests run at once. */
const gatewaysOff = {
  WAVECACHE_INGEST_PORT: "off",
  WAVECACHE_UDP_PORT: "off",
  WAVECACHE_TLS_PORT: "off",
  WAVECACHE_GRPC_PORT: "off",
};

/** The runner's environment without settings of the server, which would affect every test. */
function environmentWithoutSettings(): Record<string, string | undefined> {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("WAVECACHE_"));
  return Object.fromEntries(kept);
}

/** Collects the output of a running process. */
class Output {
  stdout = "";
  stderr = "";
  readonly finished: Promise<void>;
  private over = false;

  constructor(subprocess: RunningServer["subprocess"]) {
    this.finished = Promise.all([
      collect(subprocess.stdout, (text) => (this.stdout += text)),
      collect(subprocess.stderr, (text) => (this.stderr += text)),
    ]).then(() => {
      this.over = true;
    });
  }

  isOver(): boolean {
    return this.over;
  }

  text(): string {
    return `${this.stdout}${this.stderr}`;
  }

  /** The WebSocket address in the first complete line of stdout that says ready. */
  readyAddress(): string | undefined {
    const lines = this.stdout.slice(0, this.stdout.lastIndexOf("\n") + 1).split("\n");
    const line = lines.find((line) => /\bready\b/.test(line));
    return line === undefined ? undefined : /wss?:\/\/[^\s"',;)\]]+/.exec(line)?.[0];
  }
}

async function collect(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) keep(decoder.decode(chunk, { stream: true }));
}
