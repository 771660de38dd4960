/** A parser of Prometheus text (exposition format 0.0.4). */

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

export class Exposition {
  readonly samples: Sample[] = [];
  /** The type of each family. */
  readonly types = new Map<string, string>();
  readonly helps = new Map<string, string>();

  /** Throws a SyntaxError at a line that is not in the format. */
  constructor(text: string) {
    for (const line of text.split("\n")) this.#take(line);
  }

  /** The sum of the samples with this name and these labels; undefined if there are none. */
  sum(name: string, labels: Record<string, string> = {}): number | undefined {
    const found = this.#find(name, labels);
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** The samples of this name, added up by the value of one label. */
  by(name: string, label: string): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { labels, value } of this.#find(name, {})) {
      const key = labels[label] ?? "";
      sums.set(key, (sums.get(key) ?? 0) + value);
    }
    return sums;
  }

  #find(name: string, labels: Record<string, string>): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }

  #take(line: string): void {
    if (line === "") return;
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, kind, name, text] = comment;
      (kind === "TYPE" ? this.types : this.helps).set(name!, text!);
      return;
    }
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?$/.exec(line);
    if (sample === null) throw new SyntaxError(`not a line of the exposition format: ${line}`);
    const [, name, labels = "", value] = sample;
    this.samples.push({ name: name!, labels: readLabels(labels), value: readValue(value!) });
  }
}

function readLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name, value] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g))
    labels[name!] = value!.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
  return labels;
}

function readValue(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}
