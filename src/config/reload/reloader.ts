/**
 * Reads the configuration again while the server runs. It is read and checked as a whole first: a mistake changes
 * nothing. Then every part gets what may change; no connection is closed for it. What needs a restart is named.
 */
import { ConfigInvalidError } from "../../base/errors.ts";
import type { Log } from "../../base/log/log.ts";
import { readSettings, type Settings } from "../config.ts";
import type { Flags } from "../flags.ts";
import { type Config, ConfigError, type Environment } from "../schema.ts";
import { type Change, changesBetween, withLiveChanges } from "./changes.ts";

/** A part of the server that follows the configuration. */
export interface LivePart {
  /** Throws or rejects if it cannot work with this configuration. Changes nothing. */
  check?(next: Config): void | Promise<void>;
  apply(next: Config): void | Promise<void>;
}

export interface ReloadReport {
  /** The path of the configuration file; undefined without one. */
  file: string | undefined;
  changed: Change[];
  /** What differs from the running server, and will until it is started again. */
  needRestart: Change[];
}

export type ReloadCause = "signal" | "request" | "file";

export class Reloader {
  readonly #flags: Flags;
  readonly #environment: Environment;
  readonly #log: Log;
  readonly #parts: LivePart[] = [];
  #settings: Settings;
  #reloading: Promise<unknown> = Promise.resolve();
  /** Since the start. */
  readonly figures = { succeeded: 0, failed: 0, hasFailedLast: false };

  constructor(flags: Flags, environment: Environment, log: Log) {
    this.#flags = flags;
    this.#environment = environment;
    this.#settings = readSettings(flags, environment);
    this.#log = log;
  }

  /** What the server runs with. */
  get config(): Config {
    return this.#settings.config;
  }

  /** What the server runs with, as texts with their sources. */
  get settings(): Settings {
    return this.#settings;
  }

  /** The path of the configuration file; undefined without one. */
  get file(): string | undefined {
    return this.#settings.file;
  }

  follow(part: LivePart): void {
    this.#parts.push(part);
  }

  /** Rejects with CONFIG_INVALID, or with why a part cannot work with the configuration. One at a time. */
  reload(cause: ReloadCause): Promise<ReloadReport> {
    const report = this.#reloading.then(() => this.#reload(cause));
    this.#reloading = report.catch(reportedToCaller);
    return report;
  }

  async #reload(cause: ReloadCause): Promise<ReloadReport> {
    try {
      const report = await this.#change();
      this.figures.succeeded += 1;
      this.figures.hasFailedLast = false;
      this.#logReport(cause, report);
      return report;
    } catch (error) {
      this.figures.failed += 1;
      this.figures.hasFailedLast = true;
      this.#log.error("the configuration is not reloaded, and nothing changes", { cause, error });
      throw error instanceof ConfigError ? new ConfigInvalidError(error.message) : error;
    }
  }

  async #change(): Promise<ReloadReport> {
    const read = readSettings(this.#flags, this.#environment);
    const changes = changesBetween(this.#settings, read);
    const config = withLiveChanges(this.config, read.config, changes);
    for (const part of this.#parts) await part.check?.(config);
    for (const part of this.#parts) await part.apply(config);
    const all = new Map(this.#settings.all);
    for (const { name } of changes.live) all.set(name, read.all.get(name)!);
    this.#settings = { config, all, file: read.file };
    return { file: read.file, changed: changes.live, needRestart: changes.needRestart };
  }

  #logReport(cause: ReloadCause, { file = "none", changed, needRestart }: ReloadReport): void {
    this.#log.info("the configuration is reloaded", {
      cause,
      file,
      changed: changed.map(inWords).join("; "),
    });
    if (needRestart.length === 0) return;
    const changes = needRestart.map(inWords).join("; ");
    this.#log.warn("some changes of the configuration need a restart", { changes });
  }
}

function reportedToCaller(): void {}

function inWords({ key, from, to }: Change): string {
  return from === to ? `${key} = ${to}` : `${key} = ${to} (was ${from})`;
}
