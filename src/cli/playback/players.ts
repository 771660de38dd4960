/**
 * The players that may be on a machine, best first: what each can play, whether it takes audio through a pipe, and how
 * it is told to begin later. Where to begin is a filter that drops what comes before: no player can move in a pipe.
 */

/** Kinds of audio, as `sniffAudioFormat` names them, without what follows a semicolon. */
type Kinds = "all" | readonly string[];

export interface PlayerKind {
  command: string;
  plays: Kinds;
  /** Or from a file, once that is whole. */
  takesPipe: boolean;
  /** The arguments; `path` is undefined for a pipe, `seekSeconds` for the beginning. */
  args(path: string | undefined, seekSeconds: number | undefined): string[];
  seeks: boolean;
  /** What it writes where it fails without saying so by its exit code. */
  fault?: RegExp;
}

const soundFiles = ["audio/wav", "audio/flac", "audio/ogg"] as const;

export const playerKinds: readonly PlayerKind[] = [
  {
    command: "ffplay",
    plays: "all",
    takesPipe: true,
    seeks: true,
    args: (path, seek) => {
      const filter = seek === undefined ? [] : ["-af", `atrim=start=${seek}`];
      return ["-nodisp", "-autoexit", "-loglevel", "error", ...filter, "-i", path ?? "pipe:0"];
    },
    fault: /audio open failed/,
  },
  {
    command: "mpv",
    plays: "all",
    takesPipe: true,
    seeks: true,
    args: (path, seek) => {
      const filter = seek === undefined ? [] : [`--af=lavfi=[atrim=start=${seek}]`];
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
  { command: "pw-play", plays: soundFiles, takesPipe: false, seeks: false, args: (path) => [path ?? "-"] },
  { command: "paplay", plays: soundFiles, takesPipe: false, seeks: false, args: (path) => [path ?? "-"] },
];

/** What is asked of a player. */
export interface Wish {
  /** Undefined for audio that is not known. */
  format: string | undefined;
  seekSeconds: number | undefined;
}

/** The best of the players that `has` says are there, or undefined if none can do this. */
export function choosePlayer(
  { format, seekSeconds }: Wish,
  has: (command: string) => boolean,
): PlayerKind | undefined {
  const kind = format?.replace(/;.*/, "");
  return playerKinds.find(
    ({ command, plays, seeks }) =>
      (plays === "all" || (kind !== undefined && plays.includes(kind))) &&
      (seeks || seekSeconds === undefined) &&
      has(command),
  );
}

/**
 * Whether a file can be played before its end is known. MP4 files are indexed by a box (moov), which may lie behind the
 * audio; ISO/IEC 14496-12, 6.2.3.
 */
export function playsFromItsBeginning(head: Uint8Array, format: string | undefined): boolean {
  if (format !== "audio/mp4") return true;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const next = view.getUint32(0) + 4;
  return next + 4 <= head.length && Buffer.from(head.subarray(next, next + 4)).toString("latin1") === "moov";
}

/** `90`, `90.5`, `1:30` or `1:01:30` in seconds; undefined for anything else. */
export function parseSeek(text: string): number | undefined {
  const match = /^(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6}(?:\.\d{1,3})?)$/.exec(text);
  if (match === null) return undefined;
  const [, hours = "0", minutes, seconds = "0"] = match;
  const isClock = minutes !== undefined;
  if (isClock && Number(seconds) >= 60) return undefined;
  if (match[1] !== undefined && Number(minutes) >= 60) return undefined;
  return Number(hours) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds);
}
