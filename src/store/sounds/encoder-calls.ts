/** Messages between the main thread and the encoding thread. */
import type { AudioFindings } from "../streams/audio-reading.ts";

export type EncoderRequest =
  | ({ kind: "encode"; id: number } & EncodeTask)
  /** Stores the peaks of the sound; "ended" follows without packets. */
  | ({ kind: "measure"; id: number } & EncodeTask)
  /** Ends the sound early. Each sound gets exactly one "ended", so this has no effect if that is already on its way. */
  | { kind: "cancel"; id: number }
  /** Reads what finished audio says of itself. */
  | ({ kind: "inspect"; id: number } & InspectTask)
  /** Encodes the audio of a recording in progress: first that of the files, then what is pushed. */
  | ({ kind: "openLive"; id: number } & LiveTask)
  | { kind: "pushLive"; id: number; pcm: Uint8Array }
  | { kind: "closeLive"; id: number }
  | { kind: "close" };

export interface LiveTask {
  /** In Hz, within the range of the resampler. */
  sampleRate: number;
  channels: number;
  /** WAV files of 16-bit samples, oldest first, and how many samples per channel each has now. */
  past: { path: string; samples: number }[];
}

export interface InspectTask {
  /** Of the object. */
  path: string;
  /** MIME type that its first bytes show. */
  format: string;
}

export interface EncodeTask {
  /** File descriptor of the source. The main thread keeps it open until the sound has ended. */
  descriptor: number;
  /** Bytes of the source. */
  size: number;
  /** Path of the stored sound, or of its peaks. */
  storePath: string;
}

export type EncoderReply =
  /** Packets back to back in `bytes`; `lengths` has the size of each. */
  | { kind: "packets"; id: number; bytes: Uint8Array<ArrayBuffer>; lengths: Uint16Array<ArrayBuffer> }
  /** The thread works on this sound, though it has no packets to send yet. */
  | { kind: "working"; id: number }
  /** The only reply to "inspect". */
  | { kind: "inspected"; id: number; findings: AudioFindings }
  /** Packets of live audio, as in "packets"; the first audio may give none. `pushes`: how many pushes this completes. */
  | {
      kind: "live";
      id: number;
      bytes: Uint8Array<ArrayBuffer>;
      lengths: Uint16Array<ArrayBuffer>;
      pushes: number;
    }
  /** The live audio cannot be encoded. Nothing follows. */
  | { kind: "liveFailed"; id: number; errorNumber: number; detail: string }
  /** The last reply for this sound. The thread no longer reads the source, so the descriptor may be closed. */
  | { kind: "ended"; id: number; end: EncodeEnd };

export type EncodeEnd =
  /** `storeProblem` is why the packets could not be stored, or undefined if they were. */
  | { kind: "complete"; storeProblem: string | undefined }
  | { kind: "cancelled" }
  | { kind: "failed"; errorNumber: number; detail: string };
