/** Metric families whose values live elsewhere: each scrape collects them. */
import { Counter, Gauge, type Registry } from "prom-client";

/** One value, or one for each set of labels. NaN means unknown: the exposition leaves it out. */
export type Values = number | [labels: Record<string, string>, value: number][];

export interface Family {
  type: "counter" | "gauge";
  name: string;
  help: string;
  labels?: string[];
  values: () => Values | Promise<Values>;
}

export function register(registry: Registry, family: Family): void {
  registry.registerMetric(family.type === "gauge" ? gauge(family) : counter(family));
}

function gauge({ name, help, labels = [], values }: Family): Gauge {
  return new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [],
    async collect() {
      const fresh = known(await values());
      this.reset();
      for (const [labelled, value] of fresh) this.set(labelled, value);
    },
  });
}

function counter({ name, help, labels = [], values }: Family): Counter {
  return new Counter({
    name,
    help,
    labelNames: labels,
    registers: [],
    async collect() {
      const fresh = known(await values());
      this.reset();
      for (const [labelled, value] of fresh) this.inc(labelled, value);
    },
  });
}

function known(values: Values): [Record<string, string>, number][] {
  const all: [Record<string, string>, number][] = typeof values === "number" ? [[{}, values]] : values;
  return all.filter(([, value]) => Number.isFinite(value));
}
