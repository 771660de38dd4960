/** Query parameters of all operations on the audio of a period. */
import type { GapRule, PlanOptions } from "../../../engine/recordings/by-time/plan.ts";
import { ParameterError } from "../../../base/errors.ts";
import { maxResampleRate, minResampleRate } from "../../../codec/resample.ts";
import type { Period } from "../../../store/recordings/timeline/catalog.ts";
import { choice, exactTime, whole } from "../parameters.ts";

/** The device or stream that a path names. */
export const deviceSegment = "The hardware id of the device, or the stream id of a device without one.";

export const periodParameters = {
  from: exactTime("The start of a period, in RFC 3339 or milliseconds since 1970."),
  to: exactTime("The end of the period."),
  stream: whole(0, 0xffff_ffff, "Only audio of this stream: a device may send several."),
};

export const periodAudioParameters = {
  ...periodParameters,
  gaps: choice(
    ["silence", "skip", "fail"] satisfies GapRule[],
    "What stands where there is no audio: silence (the default), nothing, or the request fails.",
  ),
  resample: whole(
    minResampleRate,
    maxResampleRate,
    "The sample rate of the audio, in Hz, whatever that of the recordings.",
  ),
};

interface PeriodQuery {
  from: number | undefined;
  to: number | undefined;
  stream: number | undefined;
}

/** Throws `ParameterError` for a period without a start or an end. */
export function periodOf(name: string, { from, to, stream }: PeriodQuery): Period {
  if (from === undefined) throw new ParameterError("from", "a period needs its start");
  if (to === undefined) throw new ParameterError("to", "a period needs its end");
  if (to <= from) throw new ParameterError("to", "a period ends after its start");
  return { name, streamId: stream, fromUs: from, toUs: to };
}

export function planOptions(query: {
  gaps: GapRule | undefined;
  resample: number | undefined;
}): Omit<PlanOptions, "fromUs" | "toUs"> {
  return { gaps: query.gaps ?? "silence", resampleRate: query.resample };
}
