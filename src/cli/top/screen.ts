/** Draws the figures of a server as lines of text: a head, then a table for each kind of thing. Pure. */
import { dim, emphasised } from "../kit/escape-codes.ts";
import type { ScreenSize } from "../kit/full-screen.ts";
import { humanBytes, table, visible, wrapped } from "../kit/text.ts";
import type { DiskFigures, GatewayFigures, TopFigures } from "./figures.ts";

/** What the tables are sorted by. */
export const topOrders = ["rate", "size", "name"] as const;
export type TopOrder = (typeof topOrders)[number];

export interface TopView {
  address: string;
  order: TopOrder;
  colors: boolean;
}

/** A table with its rows in order; a screen that is too short shows the first ones. */
interface Section {
  title: string;
  head: string[];
  rows: string[][];
  /** Instead of rows. */
  note?: string | undefined;
}

/** Every line of every table. */
export function wholeReport(figures: TopFigures, view: TopView): string[] {
  const sections = sectionsOf(figures, view.order);
  return [
    ...headOf(figures, view),
    ...sections.flatMap((section) => linesOf(section, section.rows.length, view)),
  ];
}

/** Returns no more lines than the screen has rows, each no wider than its columns. */
export function topScreen(figures: TopFigures, view: TopView, size: ScreenSize): string[] {
  const head = headOf(figures, view, size.columns);
  const keys = dimmed(`q quit   s sort (${view.order})`, view.colors);
  const sections = sectionsOf(figures, view.order);
  const shares = rowShares(sections, size.rows - head.length - 1);
  const body = sections.flatMap((section, index) => linesOf(section, shares[index]!, view));
  const shown = [...head, ...body].slice(0, size.rows - 1);
  return [...shown, keys].map((line) => Bun.sliceAnsi(line, 0, size.columns));
}

/** An empty line, the title, and the head of the table if it has rows. */
function linesAroundRows({ rows }: Section): number {
  return rows.length === 0 ? 2 : 3;
}

/** How many rows each section gets: short ones all of theirs, and the others what is left in equal parts. */
function rowShares(sections: readonly Section[], rows: number): number[] {
  let left = rows - sections.reduce((sum, section) => sum + linesAroundRows(section), 0);
  const shares = sections.map(() => 0);
  const byLength = sections.map(({ rows }, index) => ({ index, length: rows.length }));
  byLength.sort((one, other) => one.length - other.length);
  for (const [at, { index, length }] of byLength.entries()) {
    const share = Math.max(0, Math.min(length, Math.floor(left / (byLength.length - at))));
    shares[index] = share;
    left -= share;
  }
  return shares;
}

function headOf(figures: TopFigures, view: TopView, columns = Number.POSITIVE_INFINITY): string[] {
  return headItems(figures, view).flatMap((items) => wrapped(items, columns));
}

/** What stands together, of which each item is one line where the screen is narrow. */
function headItems(figures: TopFigures, { address, colors }: TopView): string[][] {
  const { streams, reasons } = figures;
  const unready = `not ready: ${reasons.map(visible).join(", ")}`;
  return [
    [`wavecache ${visible(figures.version)}`, visible(address), `up ${upText(figures.uptimeSeconds)}`],
    [reasons.length === 0 ? "ready" : emphasis(unready, colors)],
    [
      `CPU ${percent(figures.processors)}`,
      `memory ${humanBytes(figures.memoryBytes)}`,
      `connections ${figures.connections} of ${figures.maxConnections}`,
    ],
    [
      `streams ${streams.finished} finished`,
      `${streams.uploading + streams.finishing} uploading`,
      `${streams.interrupted} interrupted`,
      `recordings ${figures.recordings}`,
      `listeners ${figures.listeners}`,
    ],
    [
      `cache ${humanBytes(figures.cacheBytes)} of ${humanBytes(figures.maxCacheBytes)}`,
      ...figures.disks.map(diskText),
    ],
  ];
}

function diskText({ name, freeBytes, sizeBytes }: DiskFigures): string {
  return `${visible(name)} disk ${humanBytes(freeBytes)} free of ${humanBytes(sizeBytes)}`;
}

function sectionsOf(figures: TopFigures, order: TopOrder): Section[] {
  return [
    gatewaySection(figures, order),
    threadSection(figures),
    uploadSection(figures, order),
    deviceSection(figures),
  ];
}

function traffic({ receivedPerSecond, sentPerSecond }: GatewayFigures): number {
  return receivedPerSecond + sentPerSecond;
}

function gatewaySection({ gateways }: TopFigures, order: TopOrder): Section {
  const sorted = gateways.toSorted(
    (one, other) =>
      (order === "rate" && traffic(other) - traffic(one)) ||
      (order === "size" && other.connections - one.connections) ||
      compare(one.name, other.name),
  );
  return {
    title: "Gateways",
    head: ["GATEWAY", "OPEN", "IN/s", "OUT/s", "ERRORS/s"],
    rows: sorted.map((each) => [
      each.name,
      String(each.connections),
      humanBytes(Math.round(each.receivedPerSecond)),
      humanBytes(Math.round(each.sentPerSecond)),
      each.errorsPerSecond.toFixed(1),
    ]),
  };
}

function threadSection({ threads }: TopFigures): Section {
  return {
    title: "Threads",
    head: ["THREAD", "JOBS/s", "LOAD", "RING", "WAITING", "RESTARTS"],
    rows: threads.map((each) => [
      each.name,
      each.jobsPerSecond.toFixed(0),
      percent(each.load),
      each.ringFill === undefined ? "-" : percent(each.ringFill),
      each.waitingCalls === undefined ? "-" : String(each.waitingCalls),
      String(each.restarts),
    ]),
  };
}

function uploadSection({ uploads }: TopFigures, order: TopOrder): Section {
  const sorted = uploads?.toSorted(
    (one, other) =>
      (order === "rate" && other.growthPerSecond - one.growthPerSecond) ||
      (order !== "name" && other.size - one.size) ||
      compare(one.streamId, other.streamId),
  );
  return {
    title: "Unfinished streams",
    head: ["STREAM", "SIZE", "GROWTH/s"],
    rows: (sorted ?? []).map((each) => [
      each.streamId,
      humanBytes(each.size),
      humanBytes(Math.round(each.growthPerSecond)),
    ]),
    note: uploads === undefined ? "this token may not list streams" : undefined,
  };
}

function deviceSection({ devices }: TopFigures): Section {
  return {
    title: "Devices",
    head: ["DEVICE", "MODE", "PLAYS", "BATTERY"],
    rows: (devices ?? []).map(({ deviceId, mode, playing, battery }) => [
      deviceId,
      String(mode),
      playing === null ? "-" : String(playing),
      battery === null ? "-" : `${Math.round(battery)} %`,
    ]),
    note: devices === undefined ? "this token may not list devices" : undefined,
  };
}

/** A section with this many of its rows. */
function linesOf({ title, head, rows, note }: Section, shown: number, { colors }: TopView): string[] {
  if (rows.length === 0) return ["", `${title}: ${note ?? "none"}`];
  const [header, ...lines] = table([head, ...rows.slice(0, shown)], [1, 2, 3, 4, 5]);
  const rest = rows.length - shown;
  const more = rest > 0 ? `   (${rest} more)` : "";
  return ["", `${title}${more}`, dimmed(header!, colors), ...lines];
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function percent(part: number): string {
  return `${Math.round(part * 100)} %`;
}

function upText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

function dimmed(text: string, colors: boolean): string {
  return colors ? dim(text) : text;
}

function emphasis(text: string, colors: boolean): string {
  return colors ? emphasised(text) : text;
}
