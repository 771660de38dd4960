/**
 * A real S3 object store: versitygw on a temporary folder, behind a proxy that can fail in the ways in which object stores
 * fail. The proxy also notes each request.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { filesUnder } from "../cache-folder.ts";
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";

const limitMs = 10_000;
const bucket = "audio";
const credentials = { AWS_ACCESS_KEY_ID: "test-key", AWS_SECRET_ACCESS_KEY: "test-secret" };

const program = [
  process.env["WAVECACHE_VERSITYGW"],
  Bun.which("versitygw"),
  join(homedir(), "go/bin/versitygw"),
  "/usr/local/bin/versitygw",
].find((path) => path && existsSync(path));

/** Where it is missing, tests of it cannot run. */
export const hasObjectStore = program !== undefined;

/** One line, once a file. */
export function sayIfObjectStoreIsMissing(): void {
  if (hasObjectStore) return;
  // oxlint-disable-next-line no-console
  console.warn("Skipped: the archive. To test it: .ci/versitygw");
}

/** What the proxy does with a request: `pass` hands it on, the others fail it. */
export type Fault =
  "pass" | "error 500" | "slow down" | "cut" | "hang" | "truncate" | "corrupt" | "lose answer";

export interface NotedRequest {
  method: string;
  /** Without the bucket. */
  path: string;
  fault: Fault;
}

export class ObjectStore implements AsyncDisposable {
  readonly requests: NotedRequest[] = [];
  /** Chooses a fault for each request. */
  fault: (request: { method: string; path: string }) => Fault = () => "pass";
  /** Each answer comes so much later. */
  delayMs = 0;
  readonly #folder: string;
  readonly #gatewayPort = freePort();
  readonly #proxy: Bun.Server<undefined>;
  #process: Bun.Subprocess<"ignore", "ignore", "ignore"> | undefined;

  static async start(): Promise<ObjectStore> {
    const store = new ObjectStore(mkdtempSync(join(tmpdir(), "wavecache-s3-")));
    await store.restart();
    return store;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(join(folder, bucket));
    this.#proxy = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      maxRequestBodySize: 1024 ** 3,
      fetch: (request) => this.#answer(request),
    });
  }

  /** Flags of a server that archives here. */
  get flags(): Record<string, string> {
    return { archive: `s3://${bucket}/store`, "archive-endpoint": `http://127.0.0.1:${this.#proxy.port}` };
  }

  /** Without the proxy, which costs time. */
  get directFlags(): Record<string, string> {
    return { ...this.flags, "archive-endpoint": `http://127.0.0.1:${this.#gatewayPort}` };
  }

  get env(): Record<string, string> {
    return credentials;
  }

  /** Of the store, with a seam for tests of the bucket itself. */
  get settings() {
    const [accessKeyId, secretAccessKey] = [credentials.AWS_ACCESS_KEY_ID, credentials.AWS_SECRET_ACCESS_KEY];
    const place = {
      endpoint: this.flags["archive-endpoint"]!,
      region: "us-east-1",
      bucket,
      prefix: "store/",
    };
    return { ...place, accessKeyId, secretAccessKey, sessionToken: undefined };
  }

  /** Objects by their keys below the prefix, with their bytes. */
  async keys(): Promise<string[]> {
    const files = await filesUnder(join(this.#folder, bucket, "store"));
    return files.map(({ path }) => path).toSorted();
  }

  /** SHA-256 names of the audio that is here; a name comes as often as it is here. */
  async objects(): Promise<string[]> {
    const keys = await this.keys();
    return keys.filter((key) => key.startsWith("objects/")).map((key) => key.split("/")[2]!.slice(0, 64));
  }

  pathOf(key: string): string {
    return join(this.#folder, bucket, "store", key);
  }

  bytesOf(key: string): Uint8Array {
    return readFileSync(this.pathOf(key));
  }

  /** Where the store has uploads in parts that are under way. */
  get partsFolder(): string {
    return join(this.#folder, bucket, ".sgwtmp", "multipart");
  }

  /** Uploads in parts that are under way. */
  async unfinishedUploads(): Promise<number> {
    const folder = join(this.#folder, bucket, ".sgwtmp");
    if (!existsSync(folder)) return 0;
    const files = await filesUnder(folder);
    return new Set(files.map(({ path }) => path.split("/").slice(0, 3).join("/"))).size;
  }

  /** Requests of this method to keys that begin so. */
  count(method: string, prefix: string): number {
    return this.requests.filter((each) => each.method === method && each.path.startsWith(prefix)).length;
  }

  async restart(): Promise<void> {
    this.#process = Bun.spawn([program!, "--port", `127.0.0.1:${this.#gatewayPort}`, "posix", this.#folder], {
      env: { ...process.env, ROOT_ACCESS_KEY: "test-key", ROOT_SECRET_KEY: "test-secret" },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "ignore",
    });
    const isUp = () => fetch(`http://127.0.0.1:${this.#gatewayPort}/`).then(Boolean, () => false);
    await until("the object store listens", limitMs, isUp);
  }

  async kill9(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#process?.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy.stop(true);
    await this.kill9();
    if (statSync(this.#folder, { throwIfNoEntry: false }))
      rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const { method } = request;
    const path = pathname.replace(`/${bucket}/store/`, "");
    const fault = this.fault({ method, path });
    this.requests.push({ method, path, fault });
    if (this.delayMs > 0) await Bun.sleep(this.delayMs);
    if (fault === "error 500")
      return new Response("<Error><Code>InternalError</Code></Error>", { status: 500 });
    if (fault === "slow down") return new Response("<Error><Code>SlowDown</Code></Error>", { status: 503 });
    if (fault === "hang") return await new Promise<Response>(() => {});
    const body = await request.arrayBuffer();
    if (fault === "cut") return cutOff();
    const target = `http://127.0.0.1:${this.#gatewayPort}${pathname}${search}`;
    const answer = await fetch(target, {
      method,
      headers: request.headers,
      body: body.byteLength > 0 ? body : null,
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const headers = new Headers(answer.headers);
    if (fault === "lose answer") return cutOff();
    if (fault === "corrupt" && bytes.length > 0) bytes[bytes.length >> 1]! ^= 1;
    if (fault === "truncate") return truncated(answer.status, headers, bytes);
    if (method === "HEAD") return new Response(null, { status: answer.status, headers });
    headers.delete("content-length");
    return new Response(bytes, { status: answer.status, headers });
  }
}

/** The connection ends without an answer. */
function cutOff(): Response {
  // Bun would print an error that is one.
  const body = new ReadableStream({ pull: (controller) => controller.error(undefined) });
  return new Response(body, { status: 200 });
}

/** Half of the body. */
function truncated(status: number, headers: Headers, bytes: Uint8Array<ArrayBuffer>): Response {
  headers.delete("content-length");
  return new Response(bytes.subarray(0, bytes.length >> 1), { status, headers });
}
