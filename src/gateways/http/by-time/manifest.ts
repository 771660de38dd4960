/** `GET /api/recordings/{device}/audio/manifest`: what the audio of a period consists of. */
import * as v from "valibot";
import { formatTime } from "../../../base/format-time.ts";
import { type Clip, isClip, type Piece, type Plan } from "../../../engine/recordings/by-time/plan.ts";
import { follows } from "../../../engine/recordings/by-time/resampled-audio.ts";
import { json, type Operation, operation } from "../operation.ts";
import { countSchema, exactTimeSchema } from "../schemas.ts";
import type { PeriodRecordings } from "./audio.ts";
import { deviceSegment, periodAudioParameters, periodOf, planOptions } from "./parameters.ts";

const partSchema = v.strictObject({
  /** In the audio, in samples per channel. */
  offset: countSchema,
  samples: countSchema,
  /** When the audio was recorded; null for silence. */
  recordedAt: v.nullable(exactTimeSchema),
  streamId: v.nullable(countSchema),
  /** Of the recordings. */
  sampleRate: v.nullable(countSchema),
});

const manifestSchema = v.strictObject({
  sampleRate: countSchema,
  channels: countSchema,
  samples: countSchema,
  parts: v.array(partSchema),
});

export function manifestOperation(recordings: Pick<PeriodRecordings, "plan">): Operation {
  return operation({
    method: "get",
    route: "/api/recordings/:id/audio/manifest",
    tag: "recordings",
    access: { action: "read", on: "recordings/:id", unknown: "RECORDING_UNKNOWN" },
    summary: "What the audio of a device in a period consists of.",
    segments: { id: deviceSegment },
    parameters: periodAudioParameters,
    answers: { 200: { description: "The parts of the audio, in their order.", schema: manifestSchema } },
    errors: ["RECORDING_UNKNOWN", "RECORDING_GAP", "FORMAT_CHANGES", "READ_TOO_LARGE"],
    async handle({ path, query, meter }) {
      const plan = await recordings.plan(periodOf(path["id"]!, query), planOptions(query));
      return json(describe(plan), meter);
    },
  });
}

function describe({ sampleRate, channels, samples, pieces }: Plan): v.InferOutput<typeof manifestSchema> {
  return { sampleRate, channels, samples, parts: partsOf(pieces) };
}

/** Clips that follow each other are one part. */
function partsOf(pieces: readonly Piece[]): v.InferOutput<typeof partSchema>[] {
  const parts: v.InferOutput<typeof partSchema>[] = [];
  let last: Piece | undefined;
  for (const piece of pieces) {
    const part = parts.at(-1);
    const continues = last !== undefined && isClip(last) && isClip(piece) && follows(last, piece);
    if (continues && isAdjacent(last as Clip, piece as Clip)) part!.samples += piece.samples;
    else parts.push(describePart(piece));
    last = piece;
  }
  return parts;
}

/** Audio from which gaps were left out follows itself, but not in time. */
function isAdjacent(last: Clip, next: Clip): boolean {
  return positionOf(last) + last.sourceSamples === positionOf(next);
}

function positionOf({ segment, at }: Clip): number {
  const lost = segment.losses.reduce((sum, loss) => (loss.at <= at ? sum + loss.samples : sum), 0);
  return segment.position + at + lost;
}

function describePart(piece: Piece): v.InferOutput<typeof partSchema> {
  const place = { offset: piece.start, samples: piece.samples };
  if (!isClip(piece)) return { ...place, recordedAt: null, streamId: null, sampleRate: null };
  const { sessionStartUs, sampleRate, streamId } = piece.session;
  const us = sessionStartUs + Math.round((positionOf(piece) * 1_000_000) / sampleRate);
  return { ...place, recordedAt: formatTime(us), streamId, sampleRate };
}
