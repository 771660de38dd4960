/**
 * CRC-32 of IEEE 802.3, as in gzip and PNG: reflected, polynomial 0xedb88320, initial value and final XOR all ones.
 * The CRC of "123456789" is 0xcbf43926. This portable version runs in browsers; it processes sixteen bytes a step with a
 * table for each ("slicing by 16"). A native CRC is forty times as fast (`bench/micro/v1.ts`), and callers that have one
 * pass it in.
 */

/** CRC-32 of bytes, as u32. */
export type Crc32 = (bytes: Uint8Array) => number;

const polynomial = 0xedb88320;
const slices = 16;

/** `tables[256 * n + b]` is the contribution of byte b to the CRC if n more bytes follow it in the step. */
const tables = new Uint32Array(256 * slices);
for (let byte = 0; byte < 256; byte += 1) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ ((crc & 1) * polynomial);
  tables[byte] = crc;
}
for (let index = 256; index < tables.length; index += 1) {
  const before = tables[index - 256]!;
  tables[index] = (before >>> 8) ^ tables[before & 0xff]!;
}

export const portableCrc32: Crc32 = (bytes) => {
  const t = tables;
  const stepsEnd = bytes.length - (bytes.length % slices);
  let crc = -1;
  let at = 0;
  for (; at < stepsEnd; at += slices) {
    crc =
      t[3840 + (bytes[at]! ^ (crc & 0xff))]! ^
      t[3584 + (bytes[at + 1]! ^ ((crc >>> 8) & 0xff))]! ^
      t[3328 + (bytes[at + 2]! ^ ((crc >>> 16) & 0xff))]! ^
      t[3072 + (bytes[at + 3]! ^ (crc >>> 24))]! ^
      t[2816 + bytes[at + 4]!]! ^
      t[2560 + bytes[at + 5]!]! ^
      t[2304 + bytes[at + 6]!]! ^
      t[2048 + bytes[at + 7]!]! ^
      t[1792 + bytes[at + 8]!]! ^
      t[1536 + bytes[at + 9]!]! ^
      t[1280 + bytes[at + 10]!]! ^
      t[1024 + bytes[at + 11]!]! ^
      t[768 + bytes[at + 12]!]! ^
      t[512 + bytes[at + 13]!]! ^
      t[256 + bytes[at + 14]!]! ^
      t[bytes[at + 15]!]!;
  }
  for (; at < bytes.length; at += 1) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!;
  return ~crc >>> 0;
};
