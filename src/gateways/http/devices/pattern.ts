/** The query parameter `device=GLOB` of operations that send what happens to many devices. */
import { Glob } from "../../../access/glob.ts";
import { ParameterError } from "../../../base/errors.ts";

/** Throws `ParameterError`. Without a pattern every device matches. */
export function deviceMatcher(pattern: string | undefined): (device: string) => boolean {
  if (pattern === undefined) return () => true;
  try {
    const glob = new Glob(pattern);
    return (device) => glob.matches(device);
  } catch {
    throw new ParameterError("device", "expected percent-encoding after each %");
  }
}
