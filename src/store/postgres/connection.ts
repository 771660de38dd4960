/** The connection to PostgreSQL, in a thread of its own. It is made once: a catalog whose connection is lost opens anew. */
import { Client } from "pg";
import { systemCode } from "../../base/errors.ts";
import {
  catalogConnectMs,
  catalogIdleTransactionMs,
  catalogStatementMs,
} from "../../base/limits/postgres.ts";
import { Batch, Preparation } from "./batch.ts";
import type {
  ConnectionSettings,
  Failure,
  Request,
  Response,
  Statement,
  StatementResult,
} from "./messages.ts";

export class Connection {
  #client: Client | undefined;
  readonly #names = new Map<string, string>();
  /** Names that were given. The server keeps those of a preparation that has failed later, so none is given again. */
  #named = 0;
  #lost: Error | undefined;
  readonly #nameOf = (text: string): string => this.#names.get(text)!;

  /** Never rejects. */
  async handle(request: Request): Promise<Response> {
    const { serial } = request;
    try {
      if ("connect" in request) await this.#connect(request.connect);
      if ("script" in request) await this.#runScript(request.script);
      return { serial, results: "statements" in request ? await this.#run(request.statements) : [] };
    } catch (error) {
      return { serial, failure: this.#failureOf(error) };
    }
  }

  /** Without waiting for statements under way: the server rolls their transaction back. */
  close(): void {
    this.#client?.connection.stream.destroy();
  }

  async #connect({ url, password, node }: ConnectionSettings): Promise<void> {
    const client = new Client({
      connectionString: url,
      ...(password === undefined ? {} : { password }),
      connectionTimeoutMillis: catalogConnectMs,
      keepAlive: true,
      application_name: "wavecache",
    });
    this.#client = client;
    client.on("error", (error) => {
      this.#lost ??= error;
    });
    client.on("end", () => {
      this.#lost ??= new Error("the connection has ended");
    });
    await client.connect();
    const settings = {
      "wavecache.node": node,
      idle_in_transaction_session_timeout: String(catalogIdleTransactionMs),
      // Statements are short: to compile them, or to start processes for them, would take longer than they do.
      statement_timeout: String(catalogStatementMs),
      jit: "off",
      max_parallel_workers_per_gather: "0",
      // A network that drops packets would leave the locks of this node with a server that waits for it.
      tcp_keepalives_idle: "2",
      tcp_keepalives_interval: "1",
      tcp_keepalives_count: "3",
    };
    for (const [name, value] of Object.entries(settings)) {
      await client.query("SELECT set_config($1, $2, false)", [name, value]);
    }
  }

  /** It may take as long as it needs. The connection is of no use after a failure. */
  async #runScript(script: string): Promise<void> {
    const client = this.#required();
    await client.query("SET statement_timeout = 0");
    await client.query(script);
    await client.query(`SET statement_timeout = ${catalogStatementMs}`);
  }

  #required(): Client {
    if (this.#lost !== undefined) throw this.#lost;
    return this.#client!;
  }

  async #run(statements: readonly Statement[]): Promise<StatementResult[]> {
    const client = this.#required();
    await this.#prepare(client, statements);
    const batch = client.query(new Batch(statements, this.#nameOf));
    await batch.outcome;
    return batch.results;
  }

  async #prepare(client: Client, statements: readonly Statement[]): Promise<void> {
    const fresh = new Set(statements.map(({ text }) => text).filter((text) => !this.#names.has(text)));
    if (fresh.size === 0) return;
    const added = new Map(Array.from(fresh, (text) => [text, `w${this.#named++}`]));
    await client.query(new Preparation([...fresh], (text) => added.get(text)!)).outcome;
    for (const [text, name] of added) this.#names.set(text, name);
  }

  #failureOf(error: unknown): Failure {
    const code = systemCode(error) ?? "";
    const message = error instanceof Error ? error.message : String(error);
    const isLost = this.#lost !== undefined || this.#client === undefined || !/^[0-9A-Z]{5}$/.test(code);
    return { code, message, isLost: isLost || lostStates.test(code) };
  }
}

/** The server ends connections with these: it shuts down, crashes, or has waited for this node for too long (25P03). */
const lostStates = /^(08|57P|25P03)/;
