/** A collector of OpenTelemetry that takes traces as JSON over HTTP (OTLP), and keeps them. */
import * as v from "valibot";

const attributeSchema = v.object({ key: v.string(), value: v.record(v.string(), v.unknown()) });

const spanSchema = v.object({
  traceId: v.string(),
  spanId: v.string(),
  parentSpanId: v.optional(v.string()),
  name: v.string(),
  startTimeUnixNano: v.string(),
  endTimeUnixNano: v.string(),
  attributes: v.array(attributeSchema),
  status: v.object({ code: v.number() }),
});

const requestSchema = v.object({
  resourceSpans: v.array(
    v.object({
      resource: v.object({ attributes: v.array(attributeSchema) }),
      scopeSpans: v.array(v.object({ spans: v.array(spanSchema) })),
    }),
  ),
});

type Attributes = Record<string, unknown>;

export interface CollectedSpan extends Omit<v.InferOutput<typeof spanSchema>, "attributes"> {
  attributes: Attributes;
}

export class TraceCollector implements Disposable {
  readonly spans: CollectedSpan[] = [];
  readonly resources: Attributes[] = [];
  /** The status of its answers. */
  status = 200;
  requests = 0;
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => this.#take(request) });
  }

  /** Without the path of traces. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  named(name: string): CollectedSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }

  async #take(request: Request): Promise<Response> {
    this.requests += 1;
    const { pathname } = new URL(request.url);
    if (request.method !== "POST" || pathname !== "/v1/traces") return new Response(null, { status: 404 });
    const { resourceSpans } = v.parse(requestSchema, await request.json());
    if (this.status !== 200) return new Response(null, { status: this.status });
    for (const { resource, scopeSpans } of resourceSpans) {
      this.resources.push(attributesOf(resource.attributes));
      const spans = scopeSpans.flatMap((scope) => scope.spans);
      for (const span of spans) this.spans.push({ ...span, attributes: attributesOf(span.attributes) });
    }
    return Response.json({});
  }
}

function attributesOf(list: v.InferOutput<typeof attributeSchema>[]): Attributes {
  return Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));
}
