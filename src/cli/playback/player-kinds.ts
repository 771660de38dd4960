/**
 * The supported players, best first: which formats each plays, whether it reads from a pipe, and its arguments. A pipe
 * cannot be seeked, so `--seek` becomes a filter that drops the audio before the position.
 */

/** Media types as `sniffAudioFormat` returns them, without parameters. */
type Formats = "all" | readonly string[];

export interface PlayerKind {
  command: string;
  plays: Formats;
  /** Otherwise the player needs a complete file. */
  takesPipe: boolean;
  /** `path` is undefined for a pipe, `seekSeconds` for the beginning. */
  args(path: string | undefined, seekSeconds: number | undefined): string[];
  seeks: boolean;
  /** Matches its stderr if it failed although its exit code is 0. */
  faultPattern?: RegExp;
}

/** The audio from a position on. Times count from its beginning, also where the file states another, as broadcasts do. */
function filterFrom(seekSeconds: number): string {
  return `asetpts=PTS-STARTPTS,atrim=start=${seekSeconds}`;
}

const libsndfileFormats = ["audio/wav", "audio/flac", "audio/ogg"] as const;

export const playerKinds: readonly PlayerKind[] = [
  {
    command: "ffplay",
    plays: "all",
    takesPipe: true,
    seeks: true,
    args: (path, seek) => {
      const filter = seek === undefined ? [] : ["-af", filterFrom(seek)];
      return ["-nodisp", "-autoexit", "-loglevel", "error", ...filter, "-i", path ?? "pipe:0"];
    },
    faultPattern: /audio open failed/,
  },
  {
    command: "mpv",
    plays: "all",
    takesPipe: true,
    seeks: true,
    args: (path, seek) => {
      const filter = seek === undefined ? [] : [`--af=lavfi=[${filterFrom(seek)}]`];
      return ["--no-video", "--no-input-terminal", "--msg-level=all=error", ...filter, path ?? "-"];
    },
  },
  {
    command: "aplay",
    plays: ["audio/wav"],
    takesPipe: true,
    seeks: false,
    args: (path) => ["-q", path ?? "-"],
  },
  {
    command: "afplay",
    plays: ["audio/wav", "audio/mpeg", "audio/mp4", "audio/aac", "audio/flac"],
    takesPipe: false,
    seeks: false,
    args: (path) => [path ?? "-"],
  },
  {
    command: "pw-play",
    plays: libsndfileFormats,
    takesPipe: false,
    seeks: false,
    args: (path) => [path ?? "-"],
  },
  {
    command: "paplay",
    plays: libsndfileFormats,
    takesPipe: false,
    seeks: false,
    args: (path) => [path ?? "-"],
  },
];

export interface PlaybackRequest {
  /** Undefined if the format is unknown. */
  format: string | undefined;
  seekSeconds: number | undefined;
}

/** The best installed player that can do this; undefined if there is none. */
export function choosePlayer(
  { format, seekSeconds }: PlaybackRequest,
  isInstalled: (command: string) => boolean,
): PlayerKind | undefined {
  const mediaType = format?.replace(/;.*/, "");
  return playerKinds.find(
    ({ command, plays, seeks }) =>
      (plays === "all" || (mediaType !== undefined && plays.includes(mediaType))) &&
      (seeks || seekSeconds === undefined) &&
      isInstalled(command),
  );
}

/**
 * Whether a song can be played while it arrives. An MP4 file needs its index (the moov box), which may follow the audio
 * (ISO/IEC 14496-12, 6.2.3).
 */
export function isStreamable(head: Uint8Array, format: string | undefined): boolean {
  if (format !== "audio/mp4") return true;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  // The first box (ftyp) begins with its size; the type of the next box follows 4 bytes later.
  const next = view.getUint32(0) + 4;
  return next + 4 <= head.length && Buffer.from(head.subarray(next, next + 4)).toString("latin1") === "moov";
}

/** Parses `90`, `90.5`, `1:30` or `1:01:30` to seconds; undefined for anything else. */
export function parseSeek(text: string): number | undefined {
  const match = /^(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d{1,3})?)$/.exec(text);
  if (match === null) return undefined;
  const [, hours = "0", minutes, seconds = "0"] = match;
  const isClock = minutes !== undefined;
  if (isClock && Number(seconds) >= 60) return undefined;
  if (match[1] !== undefined && Number(minutes) >= 60) return undefined;
  return Number(hours) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds);
}
