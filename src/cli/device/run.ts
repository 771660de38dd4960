/** One device that does what a script says, with a line for each thing that happens to it. */
import { Device, type DeviceNotice, type DeviceOptions } from "../../client/devices/device.ts";
import { newsLine, newsObject, type DeviceNews } from "./lines.ts";
import { SoundRecorder } from "./recorder.ts";
import { runScript, type Step } from "./script.ts";
import { DeviceConditions, DeviceWatch } from "./watch.ts";
import { CliError } from "../kit/failures.ts";
import { safeJson, visible } from "../kit/text.ts";
import type { Context } from "../streams/transfers.ts";

export interface ScriptedRun {
  device: Omit<DeviceOptions, "signal" | "onNotice">;
  steps: readonly Step[];
  /** Where sounds are saved; undefined for nowhere. */
  folder: string | undefined;
  /** Told of each notice, beside the recorder. */
  noticed(news: DeviceNews): void;
}

/** Does the steps and closes the device; throws what the device, a step or a file failed by. */
export async function runScripted(run: ScriptedRun, signal: AbortSignal): Promise<void> {
  const watch = new DeviceWatch();
  let undecodable = 0;
  const recorder =
    run.folder === undefined
      ? undefined
      : new SoundRecorder({
          deviceId: run.device.deviceId,
          folder: run.folder,
          saved: (sound) => {
            undecodable += sound.undecodable;
            run.noticed({ type: "saved", ...sound });
          },
        });
  const onNotice = (notice: DeviceNotice) => {
    run.noticed(notice);
    recorder?.take(notice);
    if (notice.type === "sound-end" && notice.end === "lost" && !signal.aborted) watch.fail(brokenOff());
    watch.noticed();
  };
  const device = new Device({ ...run.device, signal, onNotice });
  const end = new AbortController();
  const running = device.run().catch((error: unknown) => {
    watch.fail(error);
    end.abort(error);
  });
  try {
    const either = AbortSignal.any([signal, end.signal]);
    await runScript(device, new DeviceConditions(device, watch), run.steps, either);
    either.throwIfAborted();
  } finally {
    device.close();
    await running;
    await recorder?.finish();
  }
  if (undecodable > 0) {
    const packets = undecodable === 1 ? "1 packet is" : `${undecodable} packets are`;
    throw new CliError(`${packets} no Opus`, "the server sends something else, or damages it");
  }
}

function brokenOff(): CliError {
  return new CliError("a sound broke off", "the connection to the server was lost");
}

/** One device; each thing that happens is a line, or with `json` an object. */
export async function runOneScripted(
  run: Omit<ScriptedRun, "noticed">,
  json: boolean,
  { terminal, signal }: Context,
): Promise<void> {
  const startMs = performance.now();
  const noticed = (news: DeviceNews) => {
    const seconds = (performance.now() - startMs) / 1000;
    if (json) {
      const object = newsObject(news);
      if (object !== undefined)
        terminal.print(safeJson({ seconds: Number(seconds.toFixed(3)), ...object }, 0));
      return;
    }
    const line = newsLine(news);
    if (line !== undefined) terminal.print(visible(`${seconds.toFixed(3).padStart(8)} s  ${line}`));
  };
  await runScripted({ ...run, noticed }, signal);
}
