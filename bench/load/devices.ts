/**
 * `bun run bench:devices`: many devices on a server that this starts, some of them playing. The devices run in a
 * separate process on this machine. A packet is due when the packet before has been played, minus the lead. Exit status
 * 1 if a packet is missing or a target is missed.
 */
import { cac } from "cac";
import { mkdirSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { countOption, type Options, runCommand } from "../../src/cli/kit/arguments.ts";
import { exitFailure, failureOf, usageError } from "../../src/cli/kit/failures.ts";
import { table } from "../../src/cli/kit/text.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { within } from "../../src/testing/harness/until.ts";
import { melody, wavFile } from "../../src/testing/fixtures/wav.ts";
import type { Connected, GeneratorSettings, Played, Report, Spread } from "./devices-generator.ts";
import { observedServer, type Usage, withUsage } from "./figures.ts";
import { thisMachine } from "./machine.ts";

export interface DeviceSettings {
  devices: number;
  playing: number;
  seconds: number;
  workers: number;
  leadMs: number;
}

export interface DeviceResult {
  connected: Connected;
  played: Played;
  usage: Usage;
  load: number;
}

/** Targets of a run. */
export const targets = { lateP99Ms: 40, firstP50Ms: 50, stopP99Ms: 100 };

const generator = new URL("./devices-generator.ts", import.meta.url).pathname;
const sampleRate = 16_000;
/** Players start within a second, and Stop must find the sound still playing. */
const spareSeconds = 10;
const phaseLimitMs = 120_000;

export async function measureDevices(settings: DeviceSettings): Promise<DeviceResult> {
  const { workers, leadMs } = settings;
  await using server = await TestServer.start({ flags: { workers, "grpc-port": 0, "lead-ms": leadMs } });
  await writeSound(join(server.folder, "library"), settings.seconds + spareSeconds);
  const address = `127.0.0.1:${server.grpcPort}`;
  await hearOnce(address, settings);
  const { devices, playing, seconds } = settings;
  await using all = new Generator({ address, devices, playing, seconds, leadMs });
  const connected = await all.next<Connected>("connected");
  all.play();
  const observed = observedServer(server.httpBase, server.pid);
  const [played, usage] = await withUsage(observed, () => all.next<Played>("played"));
  return { connected, played, usage, load: loadavg()[0]! };
}

/** The sound of mode 0. */
async function writeSound(library: string, seconds: number): Promise<void> {
  mkdirSync(library, { recursive: true });
  await Bun.write(join(library, "startup.wav"), wavFile(melody(sampleRate * seconds, 1), 1, sampleRate));
}

/** Plays it once, so that it is encoded before the measurement. */
async function hearOnce(address: string, { leadMs }: DeviceSettings): Promise<void> {
  await using one = new Generator({ address, devices: 1, playing: 1, seconds: 1, leadMs });
  await one.next<Connected>("connected");
  one.play();
  await one.next<Played>("played");
}

class Generator {
  readonly #child: Bun.Subprocess;
  readonly #reports = new Map<Report["phase"], PromiseWithResolvers<Report>>();

  constructor(settings: GeneratorSettings) {
    this.#child = Bun.spawn([process.execPath, "run", generator, JSON.stringify(settings)], {
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
      ipc: (message: Report) => this.#report(message.phase).resolve(message),
      onExit: (_, code) => {
        const error = new Error(`the devices exited with code ${code}`);
        for (const phase of ["connected", "played"] as const) this.#report(phase).reject(error);
      },
    });
  }

  /** Waits for the report at the end of a phase. */
  async next<R extends Report>(phase: R["phase"]): Promise<R> {
    // A phase has one kind of report.
    return (await within(`the devices to be ${phase}`, phaseLimitMs, this.#report(phase).promise)) as R;
  }

  play(): void {
    this.#child.send("play");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await this.#child.exited;
  }

  #report(phase: Report["phase"]): PromiseWithResolvers<Report> {
    const known = this.#reports.get(phase);
    if (known !== undefined) return known;
    const made = Promise.withResolvers<Report>();
    // An exit rejects promises that nobody awaits any more, too.
    made.promise.catch(() => undefined);
    this.#reports.set(phase, made);
    return made;
  }
}

export function missedTargets({ played }: DeviceResult): string[] {
  const missed = [...played.faults];
  const judge = (what: string, ms: number, maxMs: number) => {
    if (!(ms < maxMs)) missed.push(`${what}: ${ms.toFixed(0)} ms, the target is less than ${maxMs} ms`);
  };
  judge("late packets, p99", played.late.p99, targets.lateP99Ms);
  judge("first packet, p50", played.first.p50, targets.firstP50Ms);
  judge("end after Stop, p99", played.stop.p99, targets.stopP99Ms);
  return missed;
}

function readSettings(args: string[]): DeviceSettings | undefined {
  let settings: DeviceSettings | undefined;
  const cli = cac("bun run bench:devices");
  cli
    .command("[...rest]", "Connect many devices and let some play")
    .usage("[options]\n\nConnects devices over gRPC, lets some play, and measures when their packets arrive.")
    .option("--devices <count>", "Connected devices", { default: "1000" })
    .option("--playing <count>", "Playing devices", { default: "200" })
    .option("--seconds <count>", "Playing time", { default: "20" })
    .option("--workers <count>", "Workers of the server", { default: "1" })
    .option("--lead-ms <ms>", "How far ahead of playback packets are sent", { default: "1000" })
    .action((rest: string[], options: Options) => {
      if (rest.length > 0) throw usageError(`unexpected argument "${rest[0]}"`);
      const devices = countOption(options, "devices", 1, 4000);
      settings = {
        devices,
        playing: countOption(options, "playing", 1, devices),
        seconds: countOption(options, "seconds", 1, 600),
        workers: countOption(options, "workers", 1, 64),
        leadMs: countOption(options, "lead-ms", 0, 10_000),
      };
    });
  cli.help((sections) => sections.filter(({ title = "" }) => !/^(Commands|For more info)/.test(title)));
  runCommand(cli, args);
  return settings;
}

function report(settings: DeviceSettings, { connected, played, usage, load }: DeviceResult): string[] {
  const { processors, model } = thisMachine();
  const share = (seconds: number | undefined) =>
    `${((seconds ?? 0) / settings.seconds).toFixed(2)} s a second`;
  return table([
    ["machine", `${processors} processors, ${model}, load ${load.toFixed(2)} at the end`],
    ["devices", `${settings.devices} connected, ${settings.playing} playing for ${settings.seconds} s`],
    ["all connected after", ms(connected.connectMs)],
    ["packets", String(played.packets)],
    ["packets late", describe(played.late)],
    ["of that, the devices' own", describe(played.ownLate)],
    ["and the server's", `p99 ${ms(usage.inside?.loopDelayP99Ms ?? 0)}, by its event loop`],
    ["first packet after Play", describe(played.first)],
    ["end after Stop", describe(played.stop)],
    ["server's processor time", share(usage.cpuSeconds)],
    ["devices' processor time", share(played.cpuSeconds)],
    ["server's memory", `${((usage.peakOwnBytes ?? 0) / 1024 / 1024).toFixed(0)} MiB of its own at the peak`],
  ]);
}

function describe({ p50, p99, max }: Spread): string {
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}`;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

async function main(args: string[]): Promise<void> {
  try {
    const settings = readSettings(args);
    if (settings === undefined) return;
    const result = await measureDevices(settings);
    process.stdout.write(`${report(settings, result).join("\n")}\n`);
    const missed = missedTargets(result);
    for (const line of missed.slice(0, 20)) process.stderr.write(`${line}\n`);
    if (missed.length > 0) process.exitCode = exitFailure;
  } catch (error) {
    const { line, exitCode } = failureOf(error);
    process.stderr.write(`${line}\n`);
    process.exitCode = exitCode;
  }
}

if (import.meta.main) await main(process.argv.slice(2));
