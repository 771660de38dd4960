/** Several ranges in one body: multipart/byteranges (RFC 9110, section 14.6). */
import { randomBytes } from "node:crypto";
import type { Piece } from "./body.ts";
import { type ByteRange, contentRange } from "./ranges.ts";

/** `size` is that of the whole audio; undefined while it grows. */
export function multipart(
  ranges: readonly ByteRange[],
  mediaType: string,
  size: number | undefined,
): { contentType: string; pieces: Piece[] } {
  // Random, so that nobody can prepare audio that contains it.
  const boundary = randomBytes(18).toString("hex");
  const pieces: Piece[] = [];
  for (const range of ranges) {
    const lines = [
      `--${boundary}`,
      `Content-Type: ${mediaType}`,
      `Content-Range: ${contentRange(range, size)}`,
    ];
    pieces.push(Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), range, Buffer.from("\r\n"));
  }
  pieces.push(Buffer.from(`--${boundary}--\r\n`));
  return { contentType: `multipart/byteranges; boundary=${boundary}`, pieces };
}
