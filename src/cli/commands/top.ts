/** `top`: what a server is doing now, on a live screen, or once if standard output is no terminal. */
import type { CAC } from "cac";
import { ClientError } from "../../client/errors.ts";
import type { ApiOptions } from "../../client/http/api.ts";
import { pause } from "../../client/transport/retry.ts";
import { shownUrl } from "../../client/transport/credential.ts";
import { apiSettings, serverOption } from "../connect/server-options.ts";
import { countOption, flagOption, jsonOption, type Options } from "../kit/arguments.ts";
import type { Context } from "../kit/context.ts";
import { ctrlC, ctrlD } from "../kit/escape-codes.ts";
import { failureOf } from "../kit/failures.ts";
import type { FullScreen } from "../kit/full-screen.ts";
import { safeJson } from "../kit/text.ts";
import { figuresOf, type TopFigures } from "../top/figures.ts";
import { type TopOrder, topOrders, topScreen, wholeReport } from "../top/screen.ts";
import { type Snapshot, takeSnapshot } from "../top/snapshot.ts";

const maxIntervalSeconds = 60;
const quitKeys: ReadonlySet<string> = new Set(["q", "Q", ctrlC, ctrlD]);

export function registerTop(cli: CAC, context: Context): void {
  const command = cli
    .command("top", "Show what a server is doing now: traffic, threads, uploads, devices")
    .option("--interval <seconds>", "Time between two looks", { default: "1" });
  jsonOption(serverOption(command))
    .example("  $ bun run client top")
    .example("  $ bun run client top --server https://radio.example | head -20")
    .action((options: Options) => top(options, context));
}

async function top(options: Options, context: Context): Promise<void> {
  const { terminal } = context;
  const request = apiSettings(options, context);
  const intervalMs = countOption(options, "interval", 1, maxIntervalSeconds) * 1000;
  const asJson = flagOption(options, "json");
  if (terminal.isInteractive && !asJson) return await new LiveTop(request, intervalMs, context).run();
  const before = await takeSnapshot(request);
  await pause(intervalMs, context.signal);
  const figures = figuresOf(before, await takeSnapshot(request), Date.now());
  const view = { address: shownUrl(request.url), order: topOrders[0], colors: terminal.hasColors };
  terminal.printAll(asJson ? [safeJson(figures)] : wholeReport(figures, view));
}

class LiveTop {
  readonly #request: ApiOptions;
  readonly #intervalMs: number;
  readonly #context: Context;
  readonly #quit = new AbortController();
  #screen: FullScreen | undefined;
  #order: TopOrder = topOrders[0];
  #before: Snapshot | undefined;
  #figures: TopFigures | undefined;
  /** Why there are no new figures. */
  #failure: string | undefined;

  constructor(request: ApiOptions, intervalMs: number, context: Context) {
    this.#request = { ...request, signal: AbortSignal.any([context.signal, this.#quit.signal]) };
    this.#intervalMs = intervalMs;
    this.#context = context;
  }

  /** Resolves when the user quits. */
  async run(): Promise<void> {
    const { terminal, signal } = this.#context;
    // An address or a token that is wrong is better said before the screen is taken over.
    this.#before = await takeSnapshot(this.#request);
    this.#figures = figuresOf(this.#before, this.#before, Date.now());
    this.#screen = terminal.fullScreen((key) => this.#onKey(key));
    try {
      while (!this.#quit.signal.aborted) {
        this.#draw();
        await pause(this.#intervalMs, this.#request.signal!);
        await this.#look();
      }
    } catch (error) {
      signal.throwIfAborted();
      if (!this.#quit.signal.aborted) throw error;
    } finally {
      this.#screen.close();
    }
  }

  /** The server may be back after a restart. */
  async #look(): Promise<void> {
    try {
      const now = await takeSnapshot(this.#request);
      this.#figures = figuresOf(this.#before ?? now, now, Date.now());
      this.#before = now;
      this.#failure = undefined;
    } catch (error) {
      if (!(error instanceof ClientError) || !error.again) throw error;
      this.#failure = failureOf(error).line;
    }
  }

  #draw(): void {
    const screen = this.#screen;
    if (screen === undefined || this.#figures === undefined) return;
    const { size } = screen;
    const failure = this.#failure === undefined ? [] : [Bun.sliceAnsi(this.#failure, 0, size.columns)];
    const { hasColors: colors } = this.#context.terminal;
    const view = { address: shownUrl(this.#request.url), order: this.#order, colors };
    const rows = size.rows - failure.length;
    screen.draw([...failure, ...topScreen(this.#figures, view, { ...size, rows })]);
  }

  #onKey(key: string): void {
    if (quitKeys.has(key)) return this.#quit.abort();
    if (key === "s") this.#order = topOrders[(topOrders.indexOf(this.#order) + 1) % topOrders.length]!;
    this.#draw();
  }
}
