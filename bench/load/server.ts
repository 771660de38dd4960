/** The servers of a bench: the real one, started here or running elsewhere, and the bare servers beside it. */
import { TestServer } from "../../src/testing/harness/server.ts";
import { createToken } from "../../src/testing/harness/access.ts";
import { type Observed, observedElsewhere, observedProcess, observedServer } from "./figures.ts";

/** A server under test. */
export interface Subject extends AsyncDisposable {
  /** `ws://HOST:PORT/audio` */
  url: string;
  /** `http://HOST:PORT`, without a trailing slash. */
  httpBase: string;
  observed: Observed;
  /** For the report. */
  description: string;
}

export interface SubjectSettings {
  /** Address of a running server, or undefined to start one. */
  server: string | undefined;
  workers: number;
  maxCacheBytes: number;
  maxConnections: number;
  /** The server is closed, and `url` has a token. */
  hasToken?: boolean;
  /** Of one message to the audio cache; the server's own limit if undefined. */
  maxMessageBytes?: number;
}

/** What the bench itself does besides its streams: scrape and remove. */
const housekeeping = "metrics remove";
/** The last ones allow the streams of the bench, so that each check compares them all. */
const tokenGrants = [
  ...Array.from({ length: 8 }, (_, at) => `read,upload:streams/other-${at}-*`),
  "read,upload:streams/*",
];

export async function openSubject(settings: SubjectSettings): Promise<Subject> {
  const { server: url, workers, maxCacheBytes, maxConnections, hasToken = false, maxMessageBytes } = settings;
  if (url !== undefined) return foreignSubject(url);
  const server = await TestServer.start({
    flags: {
      workers,
      "max-cache-bytes": maxCacheBytes,
      "max-connections": maxConnections,
      ...(hasToken ? { anonymous: housekeeping } : {}),
      ...(maxMessageBytes === undefined ? {} : { "max-message-bytes": maxMessageBytes }),
    },
  });
  return {
    url: hasToken ? `${server.url}?token=${(await createToken(server, tokenGrants)).text}` : server.url,
    httpBase: server.httpBase,
    observed: observedServer(server.httpBase, server.pid),
    description: `started for this run with --workers ${workers}`,
    [Symbol.asyncDispose]: () => server.dispose(),
  };
}

function foreignSubject(url: string): Subject {
  const { protocol, host } = new URL(url);
  const httpBase = `${protocol === "wss:" ? "https" : "http"}://${host}`;
  return {
    url,
    httpBase,
    observed: observedElsewhere(httpBase),
    description: `running at ${url}`,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

export type BareMode = "sink" | "hash" | "send";

export interface BareServer extends AsyncDisposable {
  url: string;
  httpBase: string;
  observed: Observed;
}

/** Starts a bare server, which exits with this process. */
export async function openBareServer(mode: BareMode, frameBytes: number): Promise<BareServer> {
  const entry = `${import.meta.dir}/bare-server.ts`;
  const child = Bun.spawn([process.execPath, entry, mode, String(frameBytes)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await child.stdout.getReader().read();
  const port = new TextDecoder().decode(value).trim();
  if (!/^\d+$/.test(port)) throw new Error(`the bare server ended before it was ready: ${port}`);
  return {
    url: `ws://127.0.0.1:${port}/`,
    httpBase: `http://127.0.0.1:${port}`,
    observed: observedProcess(child.pid),
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}
