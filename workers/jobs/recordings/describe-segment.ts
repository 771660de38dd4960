/** What a writer tells the main thread of the segments of a recording. */
import type { RecordingEntry, StartedSegment } from "../../../src/base/recording-entry.ts";
import type { OrderDecision } from "../../../src/codec/nibble-order.ts";
import type { RecordingSpec } from "../../../src/lane/messages/recordings.ts";
import type { Segment } from "../../../src/store/recordings/segment.ts";
import { codecPcm16 } from "../../../src/wire/ingest.ts";

export function describeStarted(
  { handshake, fillGaps }: RecordingSpec,
  { name, placement, latePlacement, lostBefore }: Segment,
): StartedSegment {
  const late = latePlacement === undefined ? {} : { latePlacement };
  const lost = lostBefore === 0 ? {} : { lostBefore };
  return { name, placement, ...late, ...lost, frameSamples: handshake.frameSamples, fillGaps };
}

/** The catalog entry of a hashed segment. */
export function describeSegment(
  spec: RecordingSpec,
  segment: Segment,
  decision: OrderDecision | undefined,
): RecordingEntry {
  const { streamId, sampleRate, channels, codec } = spec.handshake;
  return {
    name: segment.name,
    device: spec.hwid,
    streamId,
    codec: codec === codecPcm16 ? "pcm" : "adpcm",
    sampleRate,
    channels,
    startedAt: segment.startedAt,
    endedAt: segment.endedAt,
    ...segment.counts,
    nibbleOrder: decision?.order ?? null,
    nibbleOrderBy: decision?.by ?? null,
    placement: segment.placement,
    ...segment.hashes(),
    ...(segment.peaks === undefined ? {} : { peaks: segment.peaks }),
  };
}
