/**
 * A PostgreSQL server of the tests of one process: started at the first use, ended with the process. It keeps nothing over
 * a crash of the system, which makes it fast. Each catalog gets a schema of its own.
 */
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir, totalmem, userInfo } from "node:os";
import { join } from "node:path";
import { PostgresDatabase } from "../../../store/postgres/database.ts";
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";

/** Debian keeps the programs of each version in a folder of its own. */
const debianFolder = "/usr/lib/postgresql";
/** PostgreSQL refuses to run as root. */
const serverUser = "postgres";

const programs = ["initdb", "postgres", "pg_isready"];

/** Where `initdb` and `postgres` are; undefined if they are not installed. */
export const postgresPrograms = programsFolder();

if (postgresPrograms === undefined)
  process.stderr.write("Skipped: the catalog in PostgreSQL. To test it: apt-get install postgresql\n");

export class PostgresServer implements Disposable {
  readonly #folder: string;
  readonly #port: number;
  /** Each start's: they end together. */
  readonly #keepers: Bun.Subprocess<"pipe", "ignore", Bun.BunFile>[] = [];

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static start(): PostgresServer {
    const folder = mkdtempSync(join(tmpdir(), "wavecache-postgres-"));
    const server = new PostgresServer(folder, freePort());
    if (asUser.length > 0) {
      const [uid, gid] = ["-u", "-g"].map((flag) => Number(run(["id", flag, serverUser])));
      chownSync(folder, uid!, gid!);
    }
    chmodSync(folder, 0o700);
    const initdb = ["initdb", "-D", folder, "-A", "trust", "-U", "wavecache", "--no-sync", "-E", "UTF8"];
    run([...asUser, join(postgresPrograms!, initdb[0]!), ...initdb.slice(1), "--locale", "C"]);
    server.resume();
    return server;
  }

  /** Of a database whose tables are in this schema. */
  url(schema: string): string {
    return `postgres://wavecache@127.0.0.1:${this.#port}/postgres?options=-csearch_path%3D${schema}`;
  }

  /** A new schema, for a catalog. */
  createSchema(): string {
    const name = `t${Bun.randomUUIDv7().replaceAll("-", "")}`;
    const database = new PostgresDatabase({ url: this.url("public"), node: "test" }, () => {});
    database.script(`CREATE SCHEMA ${name}`);
    database.close();
    return this.url(name);
  }

  /** Starts the server, again after `stop`; `durable` with what an installation has, which is slower. */
  resume(how: "fast" | "durable" = "fast"): void {
    const options = ["-p", String(this.#port), "-k", this.#folder, "-c", "listen_addresses=127.0.0.1"];
    const fast = ["fsync=off", "full_page_writes=off"];
    // As docs/cluster.md asks of operators.
    const durable = [`shared_buffers=${Math.floor(totalmem() / 4 / 2 ** 20)}MB`];
    const settings = ["max_connections=200", ...(how === "fast" ? fast : durable)].flatMap((each) => [
      "-c",
      each,
    ]);
    const program = join(postgresPrograms!, "postgres");
    const command = [...asUser, program, "-D", this.#folder, ...options, ...settings];
    const keeper = Bun.spawn(["sh", "-c", untilOrphaned, "sh", this.#folder, ...command], {
      stdio: ["pipe", "ignore", Bun.file(join(this.#folder, "server.log"))],
    });
    keeper.unref();
    this.#keepers.push(keeper);
    const isReady = [
      join(postgresPrograms!, "pg_isready"),
      "-q",
      "-h",
      "127.0.0.1",
      "-p",
      String(this.#port),
    ];
    const deadline = performance.now() + 15_000;
    while (Bun.spawnSync(isReady).exitCode !== 0) {
      if (performance.now() > deadline) throw new Error("PostgreSQL does not start");
      Bun.sleepSync(50);
    }
  }

  /** Ends its connections at once. */
  async stop(): Promise<void> {
    const pid = this.#pid();
    process.kill(pid, "SIGINT");
    await until("the end of PostgreSQL", 10_000, () => !existsSync(join(this.#folder, "postmaster.pid")));
  }

  /** As if no node of this catalog had renewed its lease in time. Those that run renew them again. */
  expireLeases(url: string, agoMs = 1_000): void {
    const database = new PostgresDatabase({ url, node: "test" }, () => {});
    database.script(`UPDATE nodes SET lease_until = now() - interval '${agoMs} ms'`);
    database.close();
  }

  /** Its connections stay open, and get no answer. */
  freeze(): void {
    for (const pid of this.#processes()) process.kill(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#processes()) process.kill(pid, "SIGCONT");
  }

  /** The server and the process of each of its connections. */
  #processes(): number[] {
    const server = this.#pid();
    const children = readFileSync(`/proc/${server}/task/${server}/children`, "utf8");
    return [server, ...children.trim().split(" ").map(Number)];
  }

  #pid(): number {
    return Number.parseInt(readFileSync(join(this.#folder, "postmaster.pid"), "utf8"), 10);
  }

  [Symbol.dispose](): void {
    for (const { stdin } of this.#keepers) void stdin.end();
  }
}

/**
 * Runs a command until the process at the other end of the standard input ends, however it does, and then removes the
 * folder: the runner of the tests tells nobody of its end.
 */
const untilOrphaned = 'folder=$1; shift; "$@" & cat; kill -INT $! 2>/dev/null; wait; rm -rf "$folder"';

let shared: PostgresServer | undefined;

/** The server that the tests of this process share. */
export function postgresServer(): PostgresServer {
  shared ??= PostgresServer.start();
  return shared;
}

function programsFolder(): string | undefined {
  const versions = existsSync(debianFolder) ? readdirSync(debianFolder) : [];
  const folders = versions.toSorted().map((version) => join(debianFolder, version, "bin"));
  const inPath = Bun.which("pg_isready");
  if (inPath !== null) folders.push(join(inPath, ".."));
  return folders.findLast((folder) => programs.every((program) => existsSync(join(folder, program))));
}

const asUser =
  userInfo().uid !== 0 ? [] : ["setpriv", "--reuid", serverUser, "--regid", serverUser, "--clear-groups"];

function run(command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
  return stdout.toString().trim();
}
