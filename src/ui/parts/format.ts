/** Figures as people read them. */

const units = ["B", "KB", "MB", "GB", "TB"];

/** In powers of 1000, as disks are sold: `1.2 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** `4:02`, or `1:04:02` from an hour on. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const timeFormat = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export function formatTime(iso: string): string {
  return dateFormat.format(new Date(iso));
}

/** Of today: the time of the day alone. */
export function formatClock(iso: string): string {
  return timeFormat.format(new Date(iso));
}

const steps = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

/** `5 min ago`. */
export function formatAgo(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  const step = steps.find(([, size]) => seconds >= size);
  if (step === undefined) return "just now";
  return relative.format(-Math.floor(seconds / step[1]), step[0]);
}

export function formatCount(count: number): string {
  return count.toLocaleString();
}

/** `−23 dB`, of the full scale; −120 is digital silence. */
export function formatDecibels(dbfs: number): string {
  return dbfs <= -120 ? "−∞ dB" : `${Math.round(dbfs)} dB`.replace("-", "−");
}
