/** A sound as its players see it. */

/** Opus packets of one sound: 48 kHz mono, 20 ms each. */
export interface Sound {
  /** The packets so far. All players share them: never change one. */
  readonly packets: readonly Uint8Array[];
  readonly isComplete: boolean;
  /** Resolves once there are more than `count` packets, or all of them; rejects if the sound cannot be read. */
  waitBeyond(count: number): Promise<void>;
  /** Ends the use of the sound. Call it once. */
  release(): void;
}

export interface SoundSource {
  /** Opens the sound of a mode, 0 to 5. Rejects with SOUND_UNKNOWN if the mode has none. */
  open(mode: number): Promise<Sound>;
}
