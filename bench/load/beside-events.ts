/** Ingest beside many events, compared with ingest alone: the two alternate, so that the machine's moods hit both. */
import { table } from "../../src/cli/kit/text.ts";
import { type IngestResult, type IngestSettings, measureIngest } from "./ingest-load.ts";

export interface BesideEvents {
  alone: IngestResult[];
  beside: IngestResult[];
}

/** The order of the turns cancels a steady drift of the machine. */
const turns = ["alone", "beside", "beside", "alone"] as const;

export async function measureBesideEvents(
  settings: IngestSettings,
  eventsPerSecond: number,
): Promise<BesideEvents> {
  const results: BesideEvents = { alone: [], beside: [] };
  for (const turn of turns) {
    const rate = turn === "beside" ? eventsPerSecond : 0;
    results[turn].push(await measureIngest({ ...settings, eventsPerSecond: rate }));
  }
  return results;
}

interface Figures {
  lostFrames: number;
  p50: number;
  p99: number;
  max: number;
  cpuSeconds: number;
  droppedEvents: number;
}

/** Of the delays of both turns together. */
function figuresOf(results: readonly IngestResult[]): Figures {
  const delaysMs = results.flatMap((result) => result.delaysMs).sort((a, b) => a - b);
  const quantile = (part: number) => delaysMs[Math.floor((delaysMs.length - 1) * part)] ?? Number.NaN;
  const sum = (of: (result: IngestResult) => number) => results.reduce((total, each) => total + of(each), 0);
  return {
    lostFrames: sum(({ sentFrames, recordedFrames }) => sentFrames - recordedFrames),
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
    cpuSeconds: sum(({ usage }) => usage.cpuSeconds ?? Number.NaN),
    droppedEvents: sum((result) => result.droppedEvents),
  };
}

export function besideEventsLines(
  { alone, beside }: BesideEvents,
  settings: IngestSettings,
  eventsPerSecond: number,
): string[] {
  const [before, after] = [figuresOf(alone), figuresOf(beside)];
  const row = (name: string, figures: Figures, shown: (value: number) => string) => [
    name,
    String(figures.lostFrames),
    ...[figures.p50, figures.p99, figures.max, figures.cpuSeconds].map(shown),
    String(figures.droppedEvents),
  ];
  const ratios: Figures = {
    lostFrames: after.lostFrames - before.lostFrames,
    p50: after.p50 / before.p50,
    p99: after.p99 / before.p99,
    max: after.max / before.max,
    cpuSeconds: after.cpuSeconds / before.cpuSeconds,
    droppedEvents: after.droppedEvents,
  };
  const head = ["", "frames lost", "late p50 ms", "p99 ms", "max ms", "server's cpu s", "events dropped"];
  return [
    `${settings.streams} devices, ${turns.length / 2} turns of ${settings.seconds} s each, ${eventsPerSecond} events a second`,
    "",
    ...table(
      [
        head,
        row("alone", before, (value) => value.toFixed(1)),
        row("beside events", after, (value) => value.toFixed(1)),
        row("ratio", ratios, (value) => value.toFixed(2)),
      ],
      [1, 2, 3, 4, 5, 6],
    ),
  ];
}
