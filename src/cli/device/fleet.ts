/** Many devices at once: each does the script, or presses buttons as it likes for a while; seen as one in the end. */
import type { DeviceOptions } from "../../client/devices/device.ts";
import { ClientError } from "../../client/errors.ts";
import { pause } from "../../client/transport/retry.ts";
import { runScripted } from "./run.ts";
import type { Step } from "./script.ts";
import { DeviceTally } from "./tally.ts";
import { CliError } from "../kit/failures.ts";
import { safeJson } from "../kit/text.ts";
import type { Context } from "../streams/transfers.ts";

export interface Fleet {
  count: number;
  /** Its id is what the ids of all begin with. */
  device: Omit<DeviceOptions, "signal" | "onNotice">;
  /** What one device is to do. */
  script: () => Step[];
  folder: string | undefined;
}

/** Devices connect this far apart, as they would not all be switched on at once. */
const startSpacingMs = 2;
const lineMs = 1_000;

export async function runFleet(fleet: Fleet, json: boolean, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const tally = new DeviceTally(fleet.device.deviceId, fleet.count);
  const startMs = performance.now();
  const elapsedMs = () => performance.now() - startMs;
  const line = terminal.live();
  const timer = setInterval(() => line.show(tally.liveLine(elapsedMs())), lineMs);
  const members = Array.from({ length: fleet.count }, (_, at) => runMember(fleet, at + 1, tally, signal));
  const failures = (await Promise.all(members)).filter((outcome) => outcome !== undefined);
  clearInterval(timer);
  line.end();
  if (json) terminal.print(safeJson(tally.object(failures.length, elapsedMs())));
  else for (const row of tally.lines(failures.length, elapsedMs())) terminal.print(row);
  signal.throwIfAborted();
  const [first] = failures;
  if (first !== undefined) throw failureOfAll(failures.length, fleet.count, first.error);
}

/** What it failed by; undefined if it did not. */
async function runMember(
  { device, script, folder }: Fleet,
  number: number,
  tally: DeviceTally,
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
        noticed: (news) => tally.add(number, news),
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
