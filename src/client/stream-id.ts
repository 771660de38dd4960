/** New stream ids: `stream-` + time + random, because some servers append to the old bytes of an id used before. */

const randomBytes = 8;

/** An id that no other call gives: the milliseconds make ids sort by age, 64 random bits keep them apart. */
export function newStreamId(nowMs: number = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(randomBytes));
  const hex = Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `stream-${nowMs}-${hex}`;
}
