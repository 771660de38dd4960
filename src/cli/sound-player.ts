/** Where the sounds of a device are heard, one at a time: 16-bit samples, 48 kHz mono. */
export interface SoundPlayer {
  begin(): void;
  write(samples: Uint8Array): void;
  /** What has been written is still heard. */
  end(): void;
}
