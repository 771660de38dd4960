/**
 * The nesting depth of a MessagePack value. The decoder never frees the stack entry of a level, so a deeply nested
 * message must not reach it.
 */

/** Whether `bytes` begin with one whole value that nests arrays and maps at most `maxDepth` deep. */
export function isShallow(bytes: Uint8Array, maxDepth: number): boolean {
  /** Values still missing in each open array or map. */
  const open: number[] = [];
  let at = 0;
  do {
    if (at >= bytes.length) return false;
    const form = bytes[at]!;
    const items = itemsOf(bytes, at, form);
    const next = at + headOf(form) + (items === undefined ? bodyOf(bytes, at, form) : 0);
    // Negated, because `next` is NaN for a truncated value and for the unused form.
    if (!(next <= bytes.length)) return false;
    at = next;
    if (items !== undefined && items > 0) {
      if (open.length === maxDepth) return false;
      open.push(items);
      continue;
    }
    while (open.length > 0 && (open[open.length - 1]! -= 1) === 0) open.pop();
  } while (open.length > 0);
  return true;
}

/** Values in an array or map; undefined for any other value. */
function itemsOf(bytes: Uint8Array, at: number, form: number): number | undefined {
  if (form >= 0x80 && form <= 0x8f) return (form & 0x0f) * 2;
  if (form >= 0x90 && form <= 0x9f) return form & 0x0f;
  if (form === 0xdc) return big(bytes, at + 1, 2);
  if (form === 0xdd) return big(bytes, at + 1, 4);
  if (form === 0xde) return big(bytes, at + 1, 2) * 2;
  if (form === 0xdf) return big(bytes, at + 1, 4) * 2;
  return undefined;
}

/** Bytes of the form and of its length field. */
function headOf(form: number): number {
  if (form < 0xc4) return 1;
  return headBytes[form - 0xc4] ?? 1;
}

/** For the forms from c4 (bin 8) to df (map 32); an ext has an extra type byte. */
const headBytes = [2, 3, 5, 3, 4, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 5, 3, 5, 3, 5];
const fixedBodies = new Map<number, number>(
  Object.entries({
    0xca: 4,
    0xcb: 8,
    0xcc: 1,
    0xcd: 2,
    0xce: 4,
    0xcf: 8,
    0xd0: 1,
    0xd1: 2,
    0xd2: 4,
    0xd3: 8,
    0xd4: 1,
    0xd5: 2,
    0xd6: 4,
    0xd7: 8,
    0xd8: 16,
  }).map(([form, bytes]) => [Number(form), bytes]),
);

/** Bytes of a value behind its head; NaN for the one form that MessagePack does not use. */
function bodyOf(bytes: Uint8Array, at: number, form: number): number {
  if (form >= 0xa0 && form <= 0xbf) return form & 0x1f;
  if (form === 0xc1) return Number.NaN;
  if (form === 0xc4 || form === 0xc7 || form === 0xd9) return big(bytes, at + 1, 1);
  if (form === 0xc5 || form === 0xc8 || form === 0xda) return big(bytes, at + 1, 2);
  if (form === 0xc6 || form === 0xc9 || form === 0xdb) return big(bytes, at + 1, 4);
  return fixedBodies.get(form) ?? 0;
}

function big(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index += 1) value = value * 256 + (bytes[index] ?? Number.NaN);
  return value;
}
