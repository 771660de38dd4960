/** What plays a sound knows of it; how sounds are found, decoded and encoded is behind this. */

/** Opus packets of one sound: 48 kHz mono, 20 ms each. */
export interface Sound {
  /** Packets so far, shared by all who play: never change one. */
  readonly packets: readonly Uint8Array[];
  readonly isComplete: boolean;
  /** Resolves once there are more than `count` packets or it is complete; rejects if the sound cannot be made. */
  beyond(count: number): Promise<void>;
  /** Nobody here plays it any more. */
  release(): void;
}

export interface SoundSource {
  /** Sound of a mode, 0 to 5. Rejects with SOUND_UNKNOWN if there is none. */
  open(mode: number): Promise<Sound>;
}
