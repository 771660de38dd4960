/** Messages between the main thread and the one that encodes sounds. */

export type EncoderRequest =
  | ({ kind: "encode"; id: number } & EncodeTask)
  /** Answered with "ended", as every sound is, once; never answered if that is under way already. */
  | { kind: "cancel"; id: number }
  | { kind: "close" };

export interface EncodeTask {
  /** Of the source: open for reading, and stays so until the sound has ended. */
  descriptor: number;
  /** Bytes of the source. */
  size: number;
  /** Where the packets are stored. */
  storePath: string;
}

export type EncoderReply =
  /** Packets of `lengths` bytes, one after the other in `bytes`. */
  | { kind: "packets"; id: number; bytes: Uint8Array<ArrayBuffer>; lengths: Uint16Array<ArrayBuffer> }
  /** Nothing more comes, and the source is not read any more. */
  | { kind: "ended"; id: number; end: EncodeEnd };

export type EncodeEnd =
  /** `storeProblem` is why it could not be stored, if it could not. */
  | { kind: "complete"; storeProblem: string | undefined }
  | { kind: "cancelled" }
  | { kind: "failed"; errorNumber: number; detail: string };
