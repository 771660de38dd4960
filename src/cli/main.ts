/** The command line client: `bun run client`. */
import { cac } from "cac";
import packageJson from "../../package.json" with { type: "json" };
import { runCommand } from "./kit/arguments.ts";
import { registerDevice } from "./commands/device.ts";
import { registerDevices } from "./commands/devices.ts";
import { registerDownload } from "./commands/download.ts";
import { registerFollow } from "./commands/follow.ts";
import { registerInfo } from "./commands/info.ts";
import { registerList } from "./commands/list.ts";
import { registerListen } from "./commands/listen.ts";
import { registerRecordings } from "./commands/recordings.ts";
import { registerRm } from "./commands/rm.ts";
import { registerRoundTrip } from "./commands/roundtrip.ts";
import { registerServer, serverCommand, startServer } from "./commands/server.ts";
import { registerSong } from "./commands/song.ts";
import { registerSongs } from "./commands/songs.ts";
import { registerStream } from "./commands/stream.ts";
import { registerUpload } from "./commands/upload.ts";
import { failureOf, Interrupted } from "./kit/failures.ts";
import { Terminal } from "./kit/terminal.ts";
import type { Context } from "./streams/transfers.ts";

function program(context: Context) {
  const cli = cac("bun run client");
  registerRoundTrip(cli, context);
  registerUpload(cli, context);
  registerDownload(cli, context);
  registerList(cli, context);
  registerFollow(cli, context);
  registerInfo(cli, context);
  registerRm(cli, context);
  registerStream(cli, context);
  registerListen(cli, context);
  registerRecordings(cli, context);
  registerDevices(cli, context);
  registerDevice(cli, context);
  registerSong(cli, context);
  registerSongs(cli, context);
  registerServer(cli);
  // cac would say of each option that begins with --no- that its default is true.
  cli.help((sections) =>
    sections.map(({ title, body }) => ({ title, body: body.replaceAll(" (default: true)", "") })),
  );
  cli.version(packageJson.version, "--version");
  // cac would add the version of Node that Bun stands in for.
  cli.outputVersion = () => context.terminal.print(`${packageJson.name} ${packageJson.version}`);
  return cli;
}

/** Runs one command and returns the exit code; errors become one line on stderr. */
async function run(args: string[], context: Context): Promise<number> {
  try {
    await runCommand(program(context), args);
    return 0;
  } catch (error) {
    const { line, exitCode } = failureOf(error);
    context.terminal.note(line);
    return exitCode;
  }
}

/** The first signal ends the work and cleans up, a second one ends at once. */
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

/** A reader that has seen enough (`list | head`) is no failure worth a word. */
function endQuietlyOnClosedPipe(stream: NodeJS.WriteStream): void {
  stream.on("error", (error) => {
    if ("code" in error && error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  if (args[0] === serverCommand) {
    await startServer(args.slice(1));
  } else {
    endQuietlyOnClosedPipe(process.stdout);
    const terminal = new Terminal(process.stdout, process.stderr);
    process.exitCode = await run(args, { terminal, signal: abortOnSignals() });
  }
}
