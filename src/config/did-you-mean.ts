/** What a name with a typing error may have been. */
import { closestMatch } from "leven";

/** `; did you mean "port"?`, or nothing if no known name is similar. */
export function didYouMean(given: string, known: readonly string[]): string {
  // Two names of which every second letter differs have nothing to do with each other.
  const maxDistance = Math.max(2, Math.floor(given.length / 3));
  const match = closestMatch(given, known, { maxDistance });
  return match === undefined ? "" : `; did you mean "${match}"?`;
}
