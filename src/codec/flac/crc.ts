/** The checksums of FLAC frames: CRC-8 with x^8 + x^2 + x + 1, CRC-16 with x^16 + x^15 + x^2 + 1 (RFC 9639, 9.1.8 and 9.3). */

const table8 = Uint8Array.from({ length: 256 }, (_, byte) => remainder(byte, 8, 0x07));
const table16 = Uint16Array.from({ length: 256 }, (_, byte) => remainder(byte << 8, 16, 0x8005));

function remainder(value: number, bits: number, polynomial: number): number {
  for (let bit = 0; bit < 8; bit++) {
    value = (value >> (bits - 1)) & 1 ? (value << 1) ^ polynomial : value << 1;
  }
  return value;
}

/** Of the bytes from `from` up to `to`, which is not included. */
export function crc8(source: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) crc = table8[crc ^ source[at]!]!;
  return crc;
}

/** As `crc8`. */
export function crc16(source: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let at = from; at < to; at++) crc = ((crc << 8) & 0xffff) ^ table16[(crc >> 8) ^ source[at]!]!;
  return crc;
}
