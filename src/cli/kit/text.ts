/** Formatting of output: escaping of untrusted text, units, JSON, tables. */
import { escapeInJson, unsafeCharacters } from "../../base/log/unsafe-characters.ts";

/** Escapes untrusted text (from a server, or a file name), so that it prints as one line and controls nothing. */
export function visible(text: string): string {
  return text.replace(unsafeCharacters, (char) => escaped(char.codePointAt(0) ?? 0));
}

/** JSON of the same value without characters that a terminal obeys; `indentation` 0 gives a single line. */
export function safeJson(value: unknown, indentation = 2): string {
  const json = JSON.stringify(value, undefined, indentation);
  // All line breaks are indentation: JSON strings contain none.
  return json.replace(unsafeCharacters, (char) => (char === "\n" ? char : escapeInJson(char)));
}

function escaped(code: number): string {
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

const byteUnits = ["KiB", "MiB", "GiB", "TiB", "PiB"];

/** "512 B", "3.91 MiB". */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes / 1024;
  let unit = 0;
  // 1023.995 would print as "1024.00".
  while (value >= 1023.995 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)} ${byteUnits[unit]}`;
}

/** "0.42 ms", "37 ms", "1.250 s", "2 min 5 s". */
export function humanDuration(ms: number): string {
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_999.5) return `${(ms / 1000).toFixed(3)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Megabits (10^6 bits) per second. */
export function megabitsPerSecond(bytes: number, ms: number): number {
  return (bytes * 8) / 1000 / Math.max(ms, 0.001);
}

/** Formats an ISO time as "2025-01-31 09:05:00 UTC"; returns other text unchanged. */
export function humanTime(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  return `${time.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** "20250131-090500-123": sorts by time, and every file system allows it in a name. */
export function fileTime(time: Date): string {
  return time.toISOString().replace(/[-:Z]/g, "").replace("T", "-").replace(".", "-");
}

/** Aligns rows in columns, two spaces apart; `rightAligned` has the indexes of the numeric columns. */
export function table(rows: readonly (readonly string[])[], rightAligned: readonly number[] = []): string[] {
  const shown = rows.map((row) => row.map(visible));
  const columns = Math.max(0, ...shown.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...shown.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  return shown.map((row) =>
    row
      .map((cell, column) => padded(cell, widths[column] ?? 0, rightAligned.includes(column)))
      .join("  ")
      .trimEnd(),
  );
}

function padded(cell: string, width: number, right: boolean): string {
  const space = " ".repeat(Math.max(0, width - Bun.stringWidth(cell)));
  return right ? space + cell : cell + space;
}

export function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}

/** One word of a command line, which a POSIX shell reads as this text. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Joins words into lines that fit in `columns`, if no single word is wider. */
export function wrapped(words: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    const longer = last === undefined ? word : `${last}   ${word}`;
    if (last !== undefined && Bun.stringWidth(longer) <= columns) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
