/** The used part of the libopus build in the package opusscript, whose own types cover only its wrapper. */
declare module "opusscript/build/opusscript_native_wasm.js" {
  interface OpusHandler {
    /** Sets an option of the encoder. Returns an error of libopus below 0. */
    _encoder_ctl(option: number, value: number): number;
    /**
     * Encodes `frameSamples` samples per channel. The input holds one byte in each u16, low byte first, in `count` pairs.
     * Returns the bytes of the packet, or an error of libopus below 0.
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
  /** Compiles libopus again, with its own memory of 16 MiB, which does not grow. */
  export default function instantiate(): OpusBuild;
}
