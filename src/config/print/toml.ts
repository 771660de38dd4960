/** Values as TOML: everything on one line. */

/** `given`: text, a number, a boolean, a date, or arrays and tables of them. */
export function tomlOf(given: unknown): string {
  if (typeof given === "string") return tomlText(given);
  if (Array.isArray(given)) return `[${given.map(tomlOf).join(", ")}]`;
  if (given instanceof Date) return given.toISOString();
  if (typeof given !== "object" || given === null) return String(given);
  const entries = Object.entries(given).map(([key, value]) => `${tomlKey(key)} = ${tomlOf(value)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

function tomlKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : tomlText(key);
}

/** JSON and TOML escape texts alike, but for DEL, which TOML wants to be escaped. */
function tomlText(text: string): string {
  return JSON.stringify(text).replaceAll("\u007f", "\\u007f");
}

/** The text of a flag as a file would hold it: a number or a boolean where that is what it means. */
export function typedValue(given: unknown, value: unknown): unknown {
  if (typeof given !== "string") return given;
  if (typeof value === "boolean") return value;
  return typeof value === "number" && /^-?\d+(?:\.\d+)?$/.test(given) ? Number(given) : given;
}
