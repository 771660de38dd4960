/**
 * Finds ID3v2 tags, which taggers put in front of any audio file:
 *
 *     struct {
 *       char magic[3];         // "ID3"
 *       u8   version, revision;     // neither is 0xFF
 *       u8   flags;            // 0x10: a footer of 10 bytes follows the tag
 *       u8   size[4];          // of what follows these 10 bytes, without the footer; 7 bits a byte, highest first
 *     }
 *
 * Source: ID3 tag version 2.4.0, Main Structure, sections 3.1 to 3.4.
 */

/** Bytes of the header of a tag, and of its footer. */
export const id3HeaderBytes = 10;

const flagFooter = 0x10;

/** Bytes of the tag that begins at `head[at]`; 0 if none does, or if its header is not complete. */
export function id3TagBytes(head: Uint8Array, at = 0): number {
  if (at + id3HeaderBytes > head.length) return 0;
  if (head[at] !== 0x49 || head[at + 1] !== 0x44 || head[at + 2] !== 0x33) return 0;
  if (head[at + 3] === 0xff || head[at + 4] === 0xff) return 0;
  let bytes = 0;
  for (let digit = at + 6; digit < at + id3HeaderBytes; digit++) {
    if (head[digit]! > 0x7f) return 0;
    bytes = (bytes << 7) | head[digit]!;
  }
  const hasFooter = (head[at + 5]! & flagFooter) !== 0;
  return id3HeaderBytes + bytes + (hasFooter ? id3HeaderBytes : 0);
}
