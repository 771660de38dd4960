/**
 * What a span costs on one thread: without a collector, of a caller that does not record its trace, and recorded. The
 * collector takes spans at once and drops them.
 *
 *     bun bench/micro/tracing.ts [--quick]
 */
import { openLog } from "../../src/base/log/log.ts";
import type { TraceParent } from "../../src/base/request-context.ts";
import { OtlpTracer } from "../../src/base/tracing/otlp-tracer.ts";
import { noTracer, type Tracer } from "../../src/base/tracing/tracer.ts";
import { type Case, compare, millions, quick } from "./measure.ts";

const spans = quick ? 1 : 1_000;
const parent = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

const collector = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json({}) });
const url = `http://127.0.0.1:${collector.port}`;
const tracer = new OtlpTracer({ url, ratio: 1, version: "bench" }, openLog("bench"));

function spanning(name: string, by: Tracer, trace?: TraceParent): Case {
  const run = () => {
    for (let left = spans; left > 0; left -= 1) {
      const span = by.start("upload", { "wavecache.stream": "kitchen", "wavecache.how": "create" }, trace);
      span.end({ "wavecache.outcome": "stored", "wavecache.bytes": left });
    }
    return spans;
  };
  return { name, run, show: millions("spans") };
}

await compare("TRACING", [
  spanning("off", noTracer),
  spanning("not recorded by the caller", tracer, { ...parent, isSampled: false }),
  spanning("recorded", tracer),
]);
await tracer.close();
await collector.stop(true);
