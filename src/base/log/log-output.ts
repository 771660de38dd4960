/** Where the log goes: formats events, limits those that repeat, writes them, and holds the last lines. */
import { configureSync, type LogRecord } from "@logtape/logtape";
import { logRepeatMs, maxLinesOfMessage, maxRecentLogChars } from "../limits/log.ts";
import { type LineFormat, type LogFormat, lineFormat } from "./line-format.ts";
import { LineWriter } from "./line-writer.ts";
import type { LogLevels } from "./log-levels.ts";
import { RecentLines } from "./recent-lines.ts";
import { Repeats } from "./repeats.ts";

const standardOutput = 1;

export class LogOutput {
  readonly #formatLine: LineFormat;
  readonly #writer: LineWriter;
  readonly #recent = new RecentLines(maxRecentLogChars);
  readonly #repeats = new Repeats<LogRecord>({
    burst: maxLinesOfMessage,
    periodMs: logRepeatMs,
    report: (last, repeated) => this.#write({ ...last, properties: { repeated } }),
  });

  /**
   * Logs events of these levels to standard output. Open it once, before the first event. It drops lines if standard
   * output cannot take them: losing the log must not end the server.
   */
  static open(levels: LogLevels, format: LogFormat): LogOutput {
    const output = new LogOutput(lineFormat(format, standardOutput));
    output.changeLevels(levels);
    return output;
  }

  private constructor(formatLine: LineFormat) {
    this.#formatLine = formatLine;
    this.#writer = new LineWriter(standardOutput, (lines) => describeLoss(lines, formatLine));
  }

  /** From now on, events of these levels are logged. */
  changeLevels({ general, byCategory }: LogLevels): void {
    const sinks = ["out" as const];
    // Without the override the sinks above would write the same event a second time.
    const own = byCategory.map(({ category, level }) => ({
      category: category.split("."),
      lowestLevel: level,
      parentSinks: "override" as const,
      sinks,
    }));
    configureSync({
      reset: true,
      sinks: { out: (record) => this.#receive(record) },
      loggers: [
        { category: "wavecache", lowestLevel: general, sinks },
        ...own,
        { category: ["logtape", "meta"], lowestLevel: "error", sinks: ["out"] },
      ],
    });
  }

  /** Since the start. */
  get droppedLines(): number {
    return this.#writer.droppedLines;
  }

  /** The last lines, oldest first. */
  get recentLines(): string[] {
    return this.#recent.lines;
  }

  /** Resolves once every line is written or dropped, or after `limitMs`. */
  async flush(limitMs: number): Promise<void> {
    this.#repeats.flush();
    await this.#writer.flush(limitMs);
  }

  /** Whoever asks for debug lines wants each of them. */
  #receive(record: LogRecord): void {
    const isLimited = record.level !== "debug" && record.level !== "trace";
    if (isLimited && !this.#repeats.passes(kindOf(record), record)) return;
    this.#write(record);
  }

  #write(record: LogRecord): void {
    const line = this.#formatLine(record);
    this.#recent.add(line);
    this.#writer.write(line);
  }
}

/** Messages are fixed texts, so there are few kinds. */
function kindOf({ category, level, message }: LogRecord): string {
  return `${category.join(".")} ${level} ${message.join("")}`;
}

function describeLoss(lines: number, formatLine: LineFormat): string {
  return formatLine({
    category: ["wavecache", "log"],
    level: "warning",
    message: ["lines of the log were dropped"],
    rawMessage: "lines of the log were dropped",
    timestamp: Date.now(),
    properties: { lines },
  });
}
