/** Traces by OpenTelemetry, sent to a collector as JSON over HTTP (OTLP). Loaded only where traces are on. */
import {
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Tracer as OtelTracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { toWavecacheError } from "../errors.ts";
import {
  exportTimeoutMs,
  maxQueuedSpans,
  maxSpansPerExport,
  spanDelayMs,
  traceFlushMs,
} from "../limits/tracing.ts";
import type { Log } from "../log/log.ts";
import { RateLimitedLog } from "../log/rate-limited-log.ts";
import type { TraceParent } from "../request-context.ts";
import type { Span, SpanAttributes, SpanName, TraceFigures, Tracer } from "./tracer.ts";

export interface TracingSettings {
  /** The address of the collector, with or without `/v1/traces`. */
  url: string;
  /** The part of traces that is recorded, 0 to 1; a caller who records its trace has all of its own. */
  ratio: number;
  version: string;
}

export class OtlpTracer implements Tracer {
  readonly figures: TraceFigures = { exported: 0, failed: 0 };
  readonly #provider: TracerProvider;
  readonly #tracer: OtelTracer;

  constructor({ url, ratio, version }: TracingSettings, log: Log) {
    const exporter = countedExporter(tracesUrl(url), this.figures, new RateLimitedLog(log));
    this.#provider = new TracerProvider({
      resource: resourceFromAttributes({ "service.name": "wavecache", "service.version": version }),
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      spanProcessors: [
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: maxQueuedSpans,
          maxExportBatchSize: maxSpansPerExport,
          scheduledDelayMillis: spanDelayMs,
          exportTimeoutMillis: exportTimeoutMs,
        }),
      ],
    });
    this.#tracer = this.#provider.getTracer("wavecache", version);
  }

  start(name: SpanName, attributes: SpanAttributes, parent?: TraceParent): Span {
    return new OtlpSpan(this.#tracer.startSpan(name, { attributes: { ...attributes } }, contextOf(parent)));
  }

  /** A collector that hangs does not hold up the end of the process. */
  async close(): Promise<void> {
    await Promise.race([this.#provider.shutdown(), Bun.sleep(traceFlushMs)]);
  }
}

class OtlpSpan implements Span {
  readonly #span: OtelSpan;

  constructor(span: OtelSpan) {
    this.#span = span;
  }

  get context(): TraceParent | undefined {
    if (!this.#span.isRecording()) return undefined;
    const { traceId, spanId } = this.#span.spanContext();
    return { traceId, spanId, isSampled: true };
  }

  end(attributes: SpanAttributes = {}, error?: unknown): void {
    this.#span.setAttributes(attributes);
    if (error !== undefined) {
      const { code, message } = toWavecacheError(error);
      this.#span.setAttribute("error.type", code);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message });
    }
    this.#span.end();
  }
}

function tracesUrl(url: string): string {
  return /\/v1\/traces\/?$/.test(url) ? url : `${url.replace(/\/$/, "")}/v1/traces`;
}

function contextOf(parent: TraceParent | undefined) {
  if (parent === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = parent;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** Counts what the collector takes, and logs that it does not: the library is silent. */
function countedExporter(url: string, figures: TraceFigures, log: RateLimitedLog): SpanExporter {
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: exportTimeoutMs });
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const isFailed = result.error !== undefined;
        figures[isFailed ? "failed" : "exported"] += spans.length;
        if (isFailed)
          log.warn("the collector does not take traces", { spans: spans.length, error: result.error });
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
}
