/** `recordings timeline DEVICE`: prints when there is audio of a device, and why there is none in between. */
import { getTimeline, type ListedTimeline } from "../../client/http/periods.ts";
import { apiSettings } from "../connect/server-options.ts";
import type { Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { printResult } from "../kit/results.ts";
import { humanDuration, table } from "../kit/text.ts";
import { noAudioOf, timeOption } from "./period.ts";

const pageSpans = 1000;

export async function printTimeline(device: string, options: Options, context: Context): Promise<void> {
  const settings = { ...apiSettings(options, context), limit: pageSpans };
  const to = timeOption(options, "to");
  const all: Omit<ListedTimeline, "next"> = { spans: [], gaps: [] };
  for (
    let from: Date | string | undefined = timeOption(options, "from"), isFirst = true;
    isFirst || from !== undefined;
  ) {
    const page: ListedTimeline | undefined = await getTimeline({ device, from, to }, settings);
    if (page === undefined) throw noAudioOf(device);
    all.spans.push(...page.spans);
    all.gaps.push(...page.gaps);
    from = page.next ?? undefined;
    isFirst = false;
  }
  printResult(options, context.terminal, { json: { device, ...all }, lines: linesOf(all) });
}

function linesOf({ spans, gaps }: Omit<ListedTimeline, "next">): string[] {
  const heard = spans.map(({ start, end, sampleRate, channels }) => ({
    start,
    end,
    what: `audio, ${sampleRate} Hz x${channels}`,
  }));
  const silent = gaps.map(({ start, end, reason }) => ({ start, end, what: reason }));
  const rows = [...heard, ...silent].sort((a, b) => (a.start < b.start ? -1 : 1));
  return table(
    [
      ["START", "END", "LENGTH", "WHAT"],
      ...rows.map(({ start, end, what }) => [start, end, lengthOf(start, end), what]),
    ],
    [2],
  );
}

function lengthOf(start: string, end: string): string {
  return humanDuration(Date.parse(end) - Date.parse(start));
}
