/** Many simulated devices at once: each runs a script, and the output is about all of them. */
import type { DeviceOptions } from "../../client/devices/device.ts";
import { ClientError } from "../../client/errors.ts";
import { pause } from "../../client/transport/retry.ts";
import type { Context } from "../kit/context.ts";
import { CliError } from "../kit/failures.ts";
import { safeJson } from "../kit/text.ts";
import { FleetStats } from "./fleet-stats.ts";
import type { Step } from "./script.ts";
import { runScripted } from "./scripted.ts";

export interface DeviceFleet {
  count: number;
  /** Each device adds its number to the id. */
  device: Omit<DeviceOptions, "signal" | "onNotice">;
  /** Called once per device. */
  script: () => Step[];
  /** Undefined: sounds are not saved. */
  folder: string | undefined;
}

/** Delay between the starts of two devices, to spread out the connections. */
const startSpacingMs = 2;
const lineMs = 1_000;

export async function runDeviceFleet(fleet: DeviceFleet, json: boolean, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const stats = new FleetStats(fleet.device.deviceId, fleet.count);
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  const line = terminal.live();
  const timer = setInterval(() => line.show(stats.liveLine(elapsedMs())), lineMs);
  const members = Array.from({ length: fleet.count }, (_, at) => runMember(fleet, at + 1, stats, signal));
  const failures = (await Promise.all(members)).filter((outcome) => outcome !== undefined);
  clearInterval(timer);
  line.end();
  if (json) terminal.print(safeJson(stats.object(failures.length, elapsedMs())));
  else terminal.printAll(stats.lines(failures.length, elapsedMs()));
  signal.throwIfAborted();
  const [first] = failures;
  if (first !== undefined) throw failureOfAll(failures.length, fleet.count, first.error);
}

/** Resolves with the error of a failed device; undefined on success. */
async function runMember(
  { device, script, folder }: DeviceFleet,
  number: number,
  stats: FleetStats,
  signal: AbortSignal,
): Promise<{ error: unknown } | undefined> {
  const deviceId = `${device.deviceId}-${number}`;
  try {
    await pause((number - 1) * startSpacingMs, signal);
    await runScripted(
      {
        device: { ...device, deviceId },
        steps: script(),
        folder,
        onEvent: (event) => stats.add(number, event),
      },
      signal,
    );
    return undefined;
  } catch (error) {
    return { error };
  }
}

function failureOfAll(failed: number, count: number, error: unknown): unknown {
  if (!(error instanceof ClientError) && !(error instanceof CliError)) return error;
  return new CliError(`${failed} of ${count} devices failed: ${error.message}`, error.hint);
}
