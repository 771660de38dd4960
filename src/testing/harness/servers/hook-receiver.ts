/** A receiver of webhooks in the process of the test: it takes them, refuses them, or lets them hang. */

export interface Delivered {
  id: string;
  type: string;
  subject: string;
}

export class HookReceiver implements Disposable {
  /** What it took, in order. */
  readonly delivered: Delivered[] = [];
  readonly paths = new Set<string>();
  /** Refuses everything. */
  isDown = false;
  refused = 0;
  /** Takes events, and answers once `releaseHeld` is called. */
  holds = false;
  readonly #held: (() => void)[] = [];
  readonly #server: Bun.Server<undefined>;

  static open(): HookReceiver {
    return new HookReceiver();
  }

  private constructor() {
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => this.#receive(request) });
  }

  get url(): string {
    return this.#server.url.href;
  }

  /** Events that were taken and have no answer yet. */
  get held(): number {
    return this.#held.length;
  }

  has(type: string, subject: string): boolean {
    return this.delivered.some((each) => each.type === type && each.subject === subject);
  }

  releaseHeld(): void {
    for (const release of this.#held.splice(0)) release();
  }

  async #receive(request: Request): Promise<Response> {
    if (this.isDown) {
      this.refused += 1;
      return new Response(null, { status: 503 });
    }
    this.paths.add(new URL(request.url).pathname);
    const { id, type, subject } = (await request.json()) as Delivered;
    this.delivered.push({ id, type, subject });
    if (this.holds) await new Promise<void>((resolve) => this.#held.push(resolve));
    return new Response();
  }

  [Symbol.dispose](): void {
    this.releaseHeld();
    void this.#server.stop(true);
  }
}
