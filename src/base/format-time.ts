/** A time in µs since 1970 as text of RFC 3339, in UTC and with six digits of a second. */
export function formatTime(us: number): string {
  const micro = String(((us % 1000) + 1000) % 1000).padStart(3, "0");
  return `${new Date(Math.floor(us / 1000)).toISOString().slice(0, -1)}${micro}Z`;
}
