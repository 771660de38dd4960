import type { Log } from "../log/log.ts";
import type { TracingSettings } from "./otlp-tracer.ts";
import { noTracer, type Tracer } from "./tracer.ts";

/** Without settings traces are off, and their library (25 MB of memory) is not loaded. */
export async function openTracer(settings: TracingSettings | undefined, log: Log): Promise<Tracer> {
  if (settings === undefined) return noTracer;
  const { OtlpTracer } = await import("./otlp-tracer.ts");
  return new OtlpTracer(settings, log);
}
