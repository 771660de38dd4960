/** What is used of the build of libopus in the package opusscript, whose own types cover its wrapper only. */
declare module "opusscript/build/opusscript_native_wasm.js" {
  interface OpusHandler {
    /** Sets an option of the encoder; below 0 is an error of libopus. */
    _encoder_ctl(option: number, value: number): number;
    /**
     * Encodes `frameSamples` samples a channel. The input holds one byte in each u16, low byte first: `count` pairs of
     * them. Gives the bytes of the packet, below 0 an error of libopus.
     */
    _encode(inputPointer: number, count: number, outputPointer: number, frameSamples: number): number;
  }
  interface OpusBuild {
    readonly HEAPU8: Uint8Array;
    readonly HEAPU16: Uint16Array;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    readonly OpusScriptHandler: {
      new (sampleRate: number, channels: number, application: number): OpusHandler;
      destroy_handler(handler: OpusHandler): void;
    };
  }
  /** Compiles libopus anew, in memory of its own (16 MiB, which does not grow). */
  export default function instantiate(): OpusBuild;
}
