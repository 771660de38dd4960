/**
 * `tus-js-client` against the real server, through a proxy that cuts all connections at random moments, and with the
 * server killed in between: every upload must be durable and identical in the end.
 */
import { Upload } from "tus-js-client";
import { KiB, MiB } from "../../base/limits/units.ts";
import { type Random, sha256 } from "../harness/bytes.ts";
import { streamInfo } from "../harness/http/streams.ts";
import { streamIdOf } from "../harness/http/tus.ts";
import { TestServer } from "../harness/server.ts";
import { TcpProxy } from "../harness/tcp-proxy.ts";

export interface TusSoakOptions {
  uploads: number;
  kills: number;
  concurrency: number;
  maxBytes?: number;
  /** Called after each kill, with the uploads that are done by then. */
  onKill?: (done: number) => void;
}

export interface TusSoakOutcome {
  uploads: number;
  bytes: number;
  cuts: number;
  kills: number;
  /** Attempts of the client that did not succeed. */
  retries: number;
  faults: string[];
}

/** The client starts its count anew after each success. */
const retryDelays = Array.from({ length: 500 }, () => 20);
const chunkSizes = [Number.POSITIVE_INFINITY, 64 * KiB, 300_000] as const;

export async function tusSoak(random: Random, options: TusSoakOptions): Promise<TusSoakOutcome> {
  await using server = await TestServer.start();
  using proxy = await TcpProxy.open(portOf(server));
  const soak = new TusSoak(server, proxy, random, options);
  return await soak.run();
}

class TusSoak {
  readonly #server: TestServer;
  readonly #proxy: TcpProxy;
  readonly #random: Random;
  readonly #options: TusSoakOptions;
  readonly #outcome: TusSoakOutcome = { uploads: 0, bytes: 0, cuts: 0, kills: 0, retries: 0, faults: [] };
  #started = 0;
  #isOver = false;

  constructor(server: TestServer, proxy: TcpProxy, random: Random, options: TusSoakOptions) {
    this.#server = server;
    this.#proxy = proxy;
    this.#random = random;
    this.#options = options;
  }

  async run(): Promise<TusSoakOutcome> {
    const cutting = this.#cutConnections();
    const killing = this.#killServer();
    await Promise.all(Array.from({ length: this.#options.concurrency }, () => this.#uploadInTurn()));
    this.#isOver = true;
    await Promise.all([cutting, killing]);
    return this.#outcome;
  }

  async #uploadInTurn(): Promise<void> {
    while (this.#started < this.#options.uploads) {
      this.#started += 1;
      const audio = this.#random.bytes(this.#random.int(1, this.#options.maxBytes ?? 2 * MiB));
      await this.#upload(audio, this.#random.pick(chunkSizes)).catch((error: unknown) => {
        this.#outcome.faults.push(String(error));
      });
      this.#outcome.uploads += 1;
      this.#outcome.bytes += audio.length;
    }
  }

  async #upload(audio: Uint8Array, chunkSize: number): Promise<void> {
    const url = await this.#send(audio, chunkSize);
    // A killed server is back before the next request of the client, but not yet for this one.
    for (;;) {
      const found = await this.#find(streamIdOf(url)).catch(() => null);
      if (found === null) await Bun.sleep(50);
      else return this.#compare(url, found?.state === "finished" ? found.sha256! : "", sha256(audio));
    }
  }

  async #find(streamId: string): ReturnType<typeof streamInfo> {
    return await streamInfo(this.#server.httpBase, streamId);
  }

  #compare(url: string, found: string, sent: string): void {
    if (found !== sent) this.#outcome.faults.push(`${url}: ${found || "not finished"} instead of ${sent}`);
  }

  #send(audio: Uint8Array, chunkSize: number): Promise<string> {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const upload = new Upload(Buffer.from(audio), {
      endpoint: `http://127.0.0.1:${this.#proxy.port}/api/tus`,
      chunkSize,
      retryDelays,
      metadata: { filename: "soak.bin" },
      onError: reject,
      onSuccess: () => resolve(upload.url!),
      onShouldRetry: (error) => {
        this.#outcome.retries += 1;
        // As the client decides by itself, without looking whether the browser is offline.
        const status = error.originalResponse?.getStatus() ?? 0;
        return status < 400 || status >= 500 || status === 409 || status === 423;
      },
    });
    upload.start();
    return promise;
  }

  async #cutConnections(): Promise<void> {
    while (!this.#isOver) {
      await Bun.sleep(this.#random.int(5, 150));
      this.#proxy.cut();
      this.#outcome.cuts += 1;
    }
  }

  async #killServer(): Promise<void> {
    const { uploads, kills, onKill } = this.#options;
    for (let kill = 1; kill <= kills; kill += 1) {
      const due = (uploads * kill) / (kills + 1);
      while (!this.#isOver && this.#outcome.uploads < due) await Bun.sleep(10);
      if (this.#isOver) return;
      await this.#server.kill9();
      await this.#server.restart();
      this.#proxy.forwardTo(portOf(this.#server));
      this.#outcome.kills += 1;
      onKill?.(this.#outcome.uploads);
    }
  }
}

function portOf({ httpBase }: TestServer): number {
  return Number(new URL(httpBase).port);
}
