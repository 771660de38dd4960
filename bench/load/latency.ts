/** Latencies of one kind of request, in microseconds, in a histogram of three significant digits. */
import { build, type Histogram } from "hdr-histogram-js";

const longestMicros = 600_000_000;

/** In milliseconds. */
export interface Percentiles {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

export class Latency {
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: longestMicros,
    numberOfSignificantValueDigits: 3,
    // The WebAssembly build does not load in Bun; this one takes 50 ns per value.
    useWebAssembly: false,
  });

  record(ms: number): void {
    this.#histogram.recordValue(Math.min(longestMicros, Math.max(0, Math.round(ms * 1000))));
  }

  percentiles(): Percentiles {
    const at = (percentile: number) => this.#histogram.getValueAtPercentile(percentile) / 1000;
    return {
      count: this.#histogram.totalCount,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      p999: at(99.9),
      max: this.#histogram.maxValue / 1000,
    };
  }
}
