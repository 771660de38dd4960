/**
 * Draws a timeline onto a canvas: the ruler, silence as a shade, audio as a waveform, gaps as hatching with their reason,
 * pins as a line at the top, the selection and the position.
 */
import { spanOf, type TimeWindow } from "../../parts/time-window.ts";
import { levelBetween, type Levels } from "./levels.ts";
import type { Gap, RangeData } from "./range-data.ts";
import { ticksOf } from "./ticks.ts";

export interface Scene {
  window: TimeWindow;
  data: RangeData | undefined;
  selection?: TimeWindow | undefined;
  pins?: readonly TimeWindow[];
  /** Where the player is. */
  positionMs?: number | undefined;
  hasRuler: boolean;
}

export interface Colors {
  text: string;
  muted: string;
  line: string;
  strong: string;
  raised: string;
  wave: string;
  accent: string;
  soft: string;
  warn: string;
}

interface Surface {
  context: CanvasRenderingContext2D;
  colors: Colors;
  width: number;
  top: number;
  height: number;
  /** The place of a time. */
  x: (ms: number) => number;
}

export const rulerPx = 26;
const tickPx = 76;
const pinPx = 3;
const names = {
  text: "--text",
  muted: "--muted",
  line: "--line",
  strong: "--line-strong",
  raised: "--raised",
  wave: "--accent",
  accent: "--accent",
  soft: "--accent-soft",
  warn: "--warn",
} as const;

export function colorsOf(element: Element): Colors {
  const style = getComputedStyle(element);
  const entries = Object.entries(names).map(([key, name]) => [key, style.getPropertyValue(name).trim()]);
  return Object.fromEntries(entries) as Colors;
}

/** The canvas gets the size that it has on the page, in pixels of the screen. */
export function draw(canvas: HTMLCanvasElement, scene: Scene, colors: Colors): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  context.font = `12px ${getComputedStyle(canvas).fontFamily}`;
  const top = scene.hasRuler ? rulerPx : 0;
  const x = (ms: number) => ((ms - scene.window.fromMs) / spanOf(scene.window)) * width;
  const surface: Surface = { context, colors, width, top, height: height - top, x };
  drawShade(surface, scene.data?.silences ?? [], colors.raised);
  if (scene.hasRuler) drawRuler(surface, scene.window);
  if (scene.selection !== undefined) drawShade(surface, [scene.selection], colors.soft);
  drawWave(surface, scene.data?.levels, scene.window);
  for (const gap of scene.data?.gaps ?? []) drawGap(surface, gap);
  drawPins(surface, scene.pins ?? []);
  if (scene.selection !== undefined) drawEdges(surface, scene.selection);
  if (scene.positionMs !== undefined) drawPosition(surface, scene.positionMs);
}

function drawShade({ context, x, top, height }: Surface, spans: readonly TimeWindow[], color: string): void {
  context.fillStyle = color;
  for (const { fromMs, toMs } of spans) context.fillRect(x(fromMs), top, x(toMs) - x(fromMs), height);
}

function drawRuler({ context, colors, width, top, height, x }: Surface, window: TimeWindow): void {
  context.textBaseline = "middle";
  for (const { ms, label, isDay } of ticksOf(window, width, tickPx)) {
    const at = Math.round(x(ms)) + 0.5;
    context.strokeStyle = isDay ? colors.strong : colors.line;
    context.beginPath();
    context.moveTo(at, top - 6);
    context.lineTo(at, top + height);
    context.stroke();
    context.fillStyle = isDay ? colors.text : colors.muted;
    if (at + 30 < width) context.fillText(label, Math.max(2, at + 5), top / 2);
  }
}

/** Quiet sounds are drawn larger than they are, or nobody would see them. */
function heightOf(level: number): number {
  return Math.sign(level) * Math.abs(level) ** 0.6;
}

function drawWave(surface: Surface, levels: Levels | undefined, window: TimeWindow): void {
  if (levels === undefined) return;
  const { context, colors, width, top, height } = surface;
  const [middle, half] = [top + height / 2, height / 2 - 6];
  const step = 1 / devicePixelRatio;
  const stepMs = (spanOf(window) / width) * step;
  context.fillStyle = colors.wave;
  for (let pixel = 0; pixel < width; pixel += step) {
    const fromMs = window.fromMs + (pixel / step) * stepMs;
    const found = levelBetween(levels, fromMs, fromMs + stepMs);
    if (found === undefined || (found[0] === 0 && found[1] === 0)) continue;
    const upper = middle - half * heightOf(found[1]);
    const lower = middle - half * heightOf(found[0]);
    context.fillRect(pixel, upper - 0.5, step, Math.max(1, lower - upper));
  }
}

function drawGap(surface: Surface, { fromMs, toMs, reason }: Gap): void {
  const { context, colors, x, top, height, width } = surface;
  const [left, right] = [Math.max(0, x(fromMs)), Math.min(width, x(toMs))];
  if (right < 0 || left > width) return;
  const gapWidth = Math.max(1.5, right - left);
  context.save();
  context.beginPath();
  context.rect(left, top, gapWidth, height);
  context.clip();
  context.strokeStyle = colors.strong;
  context.globalAlpha = 0.6;
  context.beginPath();
  for (let at = left - height; at < right; at += 8) {
    context.moveTo(at, top + height);
    context.lineTo(at + height, top);
  }
  context.stroke();
  context.restore();
  drawReason(surface, reason, left, right);
}

function drawReason({ context, colors, top, height }: Surface, reason: string, left: number, right: number) {
  const textWidth = context.measureText(reason).width;
  if (right - left < textWidth + 24 || height < 40) return;
  const [middle, at] = [(left + right) / 2, top + height - 16];
  context.fillStyle = colors.raised;
  context.beginPath();
  context.roundRect(middle - textWidth / 2 - 8, at - 10, textWidth + 16, 20, 10);
  context.fill();
  context.fillStyle = colors.muted;
  context.textBaseline = "middle";
  context.fillText(reason, middle - textWidth / 2, at + 0.5);
}

function drawPins({ context, colors, x, top }: Surface, pins: readonly TimeWindow[]): void {
  context.fillStyle = colors.warn;
  for (const { fromMs, toMs } of pins) context.fillRect(x(fromMs), top, x(toMs) - x(fromMs), pinPx);
}

function drawEdges({ context, colors, x, top, height }: Surface, { fromMs, toMs }: TimeWindow): void {
  context.fillStyle = colors.accent;
  for (const ms of [fromMs, toMs]) context.fillRect(x(ms) - 1, top, 2, height);
}

function drawPosition({ context, colors, x, top, height }: Surface, ms: number): void {
  const at = x(ms);
  context.fillStyle = colors.text;
  context.fillRect(at - 0.75, top - 4, 1.5, height + 4);
  context.beginPath();
  context.arc(at, top - 4, 4, 0, 2 * Math.PI);
  context.fill();
}
