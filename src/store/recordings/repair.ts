/**
 * Repair of segments that a crash left outside the catalog, at step 1, 2 or 3 of segment.ts. Afterwards each segment is
 * either a whole recording, whose peaks are made again from its samples, or removed:
 *
 *     .bin                       .wav                result
 *     whole frames               header, samples     entered; a torn frame at the end of .bin and a torn sample frame
 *                                                    at the end of .wav are truncated, the header gets its sizes
 *     nothing, or a torn frame   nothing after the   removed
 *                                header
 *     anything else                                  left alone and reported: no crash of this server leaves that
 */
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { maxFilledMs, maxSegmentLosses, recordingPauseMs } from "../../base/limits/recordings.ts";
import { MiB } from "../../base/limits/units.ts";
import {
  type Loss,
  type Placement,
  type RecordedWav,
  type RecordingEntry,
  spanOf,
  type StartedSegment,
} from "../../base/recording-entry.ts";
import { encodeWavHeader, parseWavHead, wavHeaderBytes } from "../../codec/wav/wav.ts";
import { codecOfFrame, frameBytesAt, frameSeq, codecPcm16, lostBetween, nextSeq } from "../../wire/ingest.ts";
import { removeFile, sizeOfFile } from "../layout.ts";
import { measureSegment } from "./peaks/measure.ts";
import { removeBeside } from "./peaks/files.ts";
import { WavDigest } from "./wav-digest.ts";

export type RepairOutcome = RecordingEntry | "removed" | "damaged";

/** Longer than any frame, so that a block that starts with a frame contains all of it. */
const blockBytes = 2 * MiB;
/** The most that a crash can leave after the last whole frame. A longer tail counts as damage and is not truncated. */
const maxTornBytes = 2 * MiB;
/** `stream_{streamId}[_{hwid}]_{yyyyMMdd_HHmmss}[_{number}]`, with or without extension. */
const namePattern =
  /^stream_(\d{1,10})(?:_.+?)??_(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)(?:_\d+)?(?:\.bin|\.wav)?$/u;

/** The names, without extension, of every segment in the folder and in the device folders below it. */
export function listSegments(folder: string): Set<string> {
  const names = new Set<string>();
  for (const entry of entriesOf(folder)) {
    if (entry.isFile()) addSegment(names, "", entry.name);
    if (!entry.isDirectory()) continue;
    for (const below of entriesOf(join(folder, entry.name))) {
      if (below.isFile()) addSegment(names, `${entry.name}/`, below.name);
    }
  }
  return names;
}

/**
 * Repairs the segment with this name, relative to the folder. `started` is what its writer reported when it opened the
 * segment; without that, the segment is a session of its own. Throws the system's error.
 */
export function repairSegment(
  folder: string,
  name: string,
  started: StartedSegment | undefined,
): RepairOutcome {
  const path = join(folder, name);
  const identity = identityOf(name);
  const binBytes = sizeOfFile(`${path}.bin`);
  const wavBytes = sizeOfFile(`${path}.wav`);
  if (binBytes === undefined && wavBytes === undefined) return "removed";
  if (identity === undefined) return "damaged";
  const endedAt = Math.round(fs.statSync(`${path}.${binBytes === undefined ? "wav" : "bin"}`).mtimeMs);
  const frames = binBytes === undefined ? undefined : walkFrames(`${path}.bin`, started?.lostBefore ?? 0);
  if (binBytes !== undefined && binBytes - frames!.bytes > maxTornBytes) return "damaged";
  if (frames === undefined || frames.count === 0) {
    const isEmpty = (wavBytes ?? 0) <= wavHeaderBytes && (frames === undefined || frames.isTorn);
    return isEmpty ? removeBoth(path) : "damaged";
  }
  const format = wavBytes === undefined ? undefined : repairWav(`${path}.wav`, wavBytes);
  if (format === undefined) return "damaged";
  if (frames.bytes < binBytes!) fs.truncateSync(`${path}.bin`, frames.bytes);
  const peaks = measureSegment(path);
  const { bytes, sha256 } = hashFile(`${path}.bin`);
  return {
    name,
    ...identity,
    codec: frames.codec === codecPcm16 ? "pcm" : "adpcm",
    ...format,
    endedAt: Math.max(endedAt, identity.startedAt),
    frames: frames.count,
    gaps: frames.gaps,
    lostFrames: frames.lost,
    nibbleOrder: null,
    nibbleOrderBy: null,
    placement:
      started === undefined
        ? placementAlone(name, identity.startedAt)
        : placementIn(started, frames.jumps, format, endedAt),
    bin: { bytes, sha256 },
    wav: hashFile(`${path}.wav`),
    ...(peaks === undefined ? {} : { peaks }),
  };
}

function placementAlone(name: string, startedAt: number): Placement {
  return {
    session: name,
    sessionStartUs: startedAt * 1000,
    run: "",
    steppedMs: 0,
    deviceTimeMs: null,
    position: 0,
    losses: [],
  };
}

/**
 * The session clock decides between the two placements when a segment is finished, by the smallest delay of its frames.
 * After a crash only the delays of the first frame and of the last write are known: a device that has caught up wrote
 * the end of the segment on time.
 */
function placementIn(
  started: StartedSegment,
  jumps: readonly Jump[],
  { sampleRate, samples }: { sampleRate: number; samples: number },
  endedAt: number,
): Placement {
  const { sessionStartUs, position } = started.placement;
  const openedAt = sessionStartUs / 1000 + (position * 1000) / sampleRate;
  const maxLost = Math.floor((Math.max(maxFilledMs, endedAt - openedAt) * sampleRate) / 1000);
  const losses = started.fillGaps ? [] : lossesIn(jumps, started, samples, maxLost);
  const onTime = { ...started.placement, losses };
  if (started.latePlacement === undefined) return onTime;
  const past = onTime.position + spanOf({ samples, placement: onTime });
  const endMs = onTime.sessionStartUs / 1000 + (past * 1000) / sampleRate;
  return endedAt - endMs > recordingPauseMs ? { ...started.latePlacement, losses } : onTime;
}

/**
 * All frames but the last of a stream are full. A device that restarts may skip millions of numbers, so a loss counts
 * for `maxLost` samples at most.
 */
function lossesIn(
  jumps: readonly Jump[],
  { frameSamples }: StartedSegment,
  samples: number,
  maxLost: number,
): Loss[] {
  const losses = jumps.map(({ frames, lost }) => ({
    at: frames * frameSamples,
    samples: Math.min(lost * frameSamples, maxLost),
  }));
  return losses.filter((loss) => loss.at <= samples && loss.samples > 0).slice(0, maxSegmentLosses);
}

function entriesOf(folder: string): fs.Dirent[] {
  return fs.existsSync(folder) ? fs.readdirSync(folder, { withFileTypes: true }) : [];
}

function addSegment(names: Set<string>, prefix: string, fileName: string): void {
  if (/\.(?:bin|wav)$/.test(fileName) && namePattern.test(fileName))
    names.add(prefix + fileName.slice(0, -4));
}

function removeBoth(path: string): "removed" {
  removeFile(`${path}.bin`);
  removeFile(`${path}.wav`);
  removeBeside(path);
  return "removed";
}

/** When a segment was opened, in whole seconds, as its name has it; in ms since 1970. Undefined for another name. */
export function segmentStart(name: string): number | undefined {
  return identityOf(name)?.startedAt;
}

/** The device, stream and start time in a segment's name. */
function identityOf(
  name: string,
): { device: string | null; streamId: number; startedAt: number } | undefined {
  const match = namePattern.exec(basename(name));
  if (match === null) return undefined;
  const [streamId, year, month, day, hour, minute, second] = match.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const startedAt = Date.UTC(year, month - 1, day, hour, minute, second);
  const device = dirname(name);
  return { device: device === "." ? null : device, streamId, startedAt };
}

/** Sequence numbers that are missing after some frames of the segment, or before the first one. */
interface Jump {
  frames: number;
  lost: number;
}

interface WalkedFrames {
  codec: number | undefined;
  count: number;
  /** Bytes of whole frames, from the start of the file. */
  bytes: number;
  gaps: number;
  lost: number;
  jumps: Jump[];
  /** Whether nothing follows them but, at most, the beginning of a frame. */
  isTorn: boolean;
}

/** `lostBefore` frames are missing in front of the first one. */
function walkFrames(path: string, lostBefore: number): WalkedFrames {
  const found: WalkedFrames = {
    codec: undefined,
    count: 0,
    bytes: 0,
    gaps: lostBefore > 0 ? 1 : 0,
    lost: lostBefore,
    jumps: lostBefore > 0 ? [{ frames: 0, lost: lostBefore }] : [],
    isTorn: true,
  };
  const descriptor = fs.openSync(path, "r");
  try {
    const block = new Uint8Array(blockBytes);
    let last: number | undefined;
    for (;;) {
      const got = fs.readSync(descriptor, block, 0, block.length, found.bytes);
      const bytes = block.subarray(0, got);
      const before = found.bytes;
      for (let at = 0, whole = frameBytesAt(bytes, 0); whole > 0; whole = frameBytesAt(bytes, at)) {
        const seq = frameSeq(bytes, at);
        if (last !== undefined && seq !== nextSeq(last)) {
          const lost = lostBetween(last, seq);
          found.gaps += 1;
          found.lost += lost;
          found.jumps.push({ frames: found.count, lost });
        }
        last = seq;
        found.codec ??= codecOfFrame(bytes, at);
        found.count += 1;
        found.bytes += whole;
        at += whole;
      }
      if (found.bytes > before) continue;
      found.isTorn = got < 4 || codecOfFrame(bytes, 0) !== undefined;
      return found;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Truncates a torn sample frame and writes the sizes. Undefined, without a change, for a file of another program. */
function repairWav(
  path: string,
  bytes: number,
): { sampleRate: number; channels: number; samples: number } | undefined {
  const descriptor = fs.openSync(path, "r+");
  try {
    const head = new Uint8Array(wavHeaderBytes);
    fs.readSync(descriptor, head, 0, head.length, 0);
    const parsed = parseWavHead(head, bytes);
    if (parsed.kind !== "format" || parsed.format.dataAt !== wavHeaderBytes) return undefined;
    const { sampleRate, channels, encoding, frameBytes } = parsed.format;
    if (encoding !== "s16") return undefined;
    const samples = Math.floor((bytes - wavHeaderBytes) / frameBytes);
    const header = encodeWavHeader(sampleRate, channels, samples * frameBytes);
    fs.ftruncateSync(descriptor, wavHeaderBytes + samples * frameBytes);
    fs.writeSync(descriptor, header, 0, header.length, 0);
    return { sampleRate, channels, samples };
  } finally {
    fs.closeSync(descriptor);
  }
}

function hashFile(path: string): Required<RecordedWav> {
  const digest = new WavDigest();
  const block = new Uint8Array(blockBytes);
  const descriptor = fs.openSync(path, "r");
  try {
    let bytes = 0;
    for (;;) {
      const got = fs.readSync(descriptor, block, 0, block.length, bytes);
      if (got === 0) return digest.finish();
      digest.add(block.subarray(0, got));
      bytes += got;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}
