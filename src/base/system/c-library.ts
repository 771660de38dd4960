/** The C library of the system, for calls that the runtime does not offer. */
import { dlopen, type FFIFunction, read } from "bun:ffi";

/** By platform, the first one that loads: the GNU library or musl on Linux. */
const names: Partial<Record<NodeJS.Platform, string[]>> = {
  linux: ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`],
  darwin: ["libSystem.B.dylib"],
};

/** Loads functions of the C library. Undefined on systems that lack one of them, or the library. */
export function loadCFunctions<F extends Record<string, FFIFunction>>(functions: F) {
  for (const name of names[process.platform] ?? []) {
    try {
      return dlopen(name, functions).symbols;
    } catch (error) {
      // The library has another name, or lacks the function.
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}

/** Returns a function that reads `errno` of this thread. Call it right after the call that failed. */
export function loadErrno(): () => number {
  const location = process.platform === "darwin" ? "__error" : "__errno_location";
  const symbols = loadCFunctions({ [location]: { args: [], returns: "ptr" } });
  return () => {
    const address = symbols?.[location]?.();
    return address ? read.i32(address) : 0;
  };
}
