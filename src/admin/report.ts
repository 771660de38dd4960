/** What a command on the store finds and does, and how it says so. */

/** Something that is not as it should be. */
export interface Problem {
  /** `object-missing`, for example. */
  code: string;
  /** The stream, recording or file. */
  subject: string;
  message: string;
  /** What `--repair` does about it; undefined if nothing can be done. */
  mend?: string | undefined;
  isMended?: boolean;
}

/** The outcome of a command. */
export interface Outcome {
  /** Names and figures, in the order in which they are shown. */
  figures: Record<string, number | string | boolean>;
  problems: Problem[];
}

export interface Progress {
  /** The next step begins. */
  step(text: string): void;
  /** So many items of this step are done. */
  count(done: number): void;
  end(): void;
}

const redrawMs = 100;

/** Progress on a terminal: one line, drawn again and again. Nothing anywhere else. */
export function showProgress(stream: NodeJS.WriteStream): Progress {
  if (stream.isTTY !== true) return { step() {}, count() {}, end() {} };
  let text = "";
  let drawnAtMs = 0;
  const draw = (line: string): void => void stream.write(`\r\x1b[K${line}`);
  return {
    step(next) {
      text = next;
      draw(text);
    },
    count(done) {
      if (performance.now() - drawnAtMs < redrawMs) return;
      drawnAtMs = performance.now();
      draw(`${text} ${done.toLocaleString("en")}`);
    },
    end: () => draw(""),
  };
}

/** The outcome as one JSON object, or as lines for people. */
export function printOutcome(command: string, outcome: Outcome, asJson: boolean): void {
  const { figures, problems } = outcome;
  process.stdout.write(
    asJson ? `${JSON.stringify({ command, ...figures, problems })}\n` : textOf(command, outcome),
  );
}

function textOf(command: string, { figures, problems }: Outcome): string {
  const shown = Object.entries(figures).map(([name, value]) => `${name}=${String(value)}`);
  const lines = problems.map(
    (problem) => `${escaped(problem.subject)}: ${problem.message}${mendOf(problem)}`,
  );
  const verdict = problems.length === 0 ? "ok" : `${problems.length} problems`;
  return [...lines, `${command}: ${verdict} ${shown.join(" ")}`, ""].join("\n");
}

function mendOf({ mend, isMended }: Problem): string {
  if (mend === undefined) return "";
  return isMended === true ? ` (done: ${mend})` : ` (--repair: ${mend})`;
}

/** Ids and names come from outside: a terminal must not obey them. */
function escaped(text: string): string {
  return /^[\x20-\x7e]+$/.test(text) ? text : JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, "?");
}

/** Exit code 1 if a problem is left. */
export function exitCode({ problems }: Outcome): number {
  return problems.every((problem) => problem.isMended === true) ? 0 : 1;
}
