/** The command line client: `bun run client`, or `wavecache client`. */
import { type CAC, cac } from "cac";
import packageJson from "../../package.json" with { type: "json" };
import { systemCode } from "../base/errors.ts";
import { asCalled, commandPrefix } from "../base/program.ts";
import { versionLine } from "../base/version.ts";
import { registerDevice } from "./commands/device.ts";
import { registerDevices } from "./commands/devices.ts";
import { registerHealth } from "./commands/health.ts";
import { registerHooks } from "./commands/hooks.ts";
import { registerDownload } from "./commands/download.ts";
import { registerFollow } from "./commands/follow.ts";
import { registerInfo } from "./commands/info.ts";
import { registerLibrary } from "./commands/library.ts";
import { registerList } from "./commands/list.ts";
import { registerListen } from "./commands/listen.ts";
import { registerPlay } from "./commands/play.ts";
import { registerPress } from "./commands/press.ts";
import { registerRecordings } from "./commands/recordings.ts";
import { registerPin } from "./commands/pin.ts";
import { registerRetention } from "./commands/retention.ts";
import { registerRm } from "./commands/rm.ts";
import { registerRoundTrip } from "./commands/roundtrip.ts";
import { registerServer, serverCommand, startServer } from "./commands/server.ts";
import { registerSessions } from "./commands/sessions.ts";
import { registerShare } from "./commands/share.ts";
import { registerSong } from "./commands/song.ts";
import { registerSongs } from "./commands/songs.ts";
import { registerStream } from "./commands/stream.ts";
import { registerTop } from "./commands/top.ts";
import { registerUpload } from "./commands/upload.ts";
import { runCommand } from "./kit/arguments.ts";
import type { Context } from "./kit/context.ts";
import { failureOf, fileError, Interrupted, PartialFailure } from "./kit/failures.ts";
import { Terminal } from "./kit/terminal.ts";
import { safeJson } from "./kit/text.ts";

const programName = `${commandPrefix} client`;
const versionText = `${packageJson.name} ${packageJson.version}`;

/** In the order of --help. */
function registerCommands(cli: CAC, context: Context): void {
  registerRoundTrip(cli, context);
  registerUpload(cli, context);
  registerDownload(cli, context);
  registerList(cli, context);
  registerFollow(cli, context);
  registerInfo(cli, context);
  registerPlay(cli, context);
  registerRm(cli, context);
  registerShare(cli, context);
  registerPin(cli, context);
  registerRetention(cli, context);
  registerStream(cli, context);
  registerListen(cli, context);
  registerRecordings(cli, context);
  registerDevices(cli, context);
  registerPress(cli, context);
  registerHooks(cli, context);
  registerDevice(cli, context);
  registerSong(cli, context);
  registerSongs(cli, context);
  registerLibrary(cli, context);
  registerTop(cli, context);
  registerSessions(cli, context);
  registerHealth(cli, context);
  registerServer(cli);
}

function newProgram(context: Context): CAC {
  const cli = cac(programName);
  registerCommands(cli, context);
  cli.help((sections) => [{ body: versionText }, ...sections.slice(1).map(helpSection)]);
  cli.version(packageJson.version, "--version");
  // cac's own version line includes the version of Node that Bun emulates.
  cli.outputVersion = () => context.terminal.print(versionLine());
  return cli;
}

/** The commands with their options, which are not run. */
export function describeClient(): CAC {
  const terminal = new Terminal(process.stdout, process.stderr);
  return newProgram({ terminal, signal: new AbortController().signal });
}

interface HelpSection {
  title?: string;
  body: string;
}

/** Corrects cac: it omits [options], prints a --help line per command, a wrong default of --no-x, and trailing spaces. */
function helpSection({ title, body }: HelpSection): HelpSection {
  if (title?.startsWith("For more info") === true) {
    return { title: "Help for a command", body: `  $ ${programName} COMMAND --help` };
  }
  const whole = title === "Usage" && !body.endsWith("]") ? `${body} [options]` : body;
  const lines = asCalled(whole)
    .split("\n")
    .map((line) => line.replace(" (default: true)", "").trimEnd());
  return { ...(title !== undefined && { title }), body: lines.join("\n") };
}

/** Runs one command and returns the exit code; errors become one line on stderr, and with --json the result. */
async function run(args: string[], context: Context): Promise<number> {
  try {
    await runCommand(newProgram(context), args);
    return 0;
  } catch (error) {
    const { line, exitCode, ...details } = failureOf(error);
    context.terminal.note(line);
    const isResult = asksForJson(args) && !(error instanceof PartialFailure);
    if (isResult) context.terminal.result(safeJson({ error: details }, 0));
    return exitCode;
  }
}

/** Also where the command line is wrong in another place. */
function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end === -1 ? args.length : end).includes("--json");
}

/** The first signal aborts the command, which then cleans up; a second one exits at once. */
function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const reason = new Interrupted(name);
      if (controller.signal.aborted) process.exit(reason.exitCode);
      controller.abort(reason);
    });
  }
  return controller.signal;
}

/**
 * Ends the program if the result cannot be written. The reader of a pipe may close it early (`list | head`), which is
 * no error. Notices that nobody can read change nothing.
 */
function endOnFailedOutput(terminal: Terminal): void {
  process.stdout.on("error", (error) => {
    if (systemCode(error) === "EPIPE") process.exit(0);
    const { line, exitCode } = failureOf(fileError("standard output", error));
    terminal.note(line);
    process.exit(exitCode);
  });
  process.stderr.on("error", () => undefined);
}

/** Runs one command of the client and sets the exit code. */
export async function main(args: string[]): Promise<void> {
  if (args[0] === serverCommand) return await startServer(args.slice(1));
  const terminal = new Terminal(process.stdout, process.stderr);
  endOnFailedOutput(terminal);
  process.exitCode = await run(args, { terminal, signal: abortOnSignals() });
}

if (import.meta.main) await main(process.argv.slice(2));
