/** What a song may be called: folders and a file below the library, with `/` between them on every system. */
import { maxSongNameBytes } from "./limits/library.ts";

/** Control characters, also those of the second half of Latin-1, and the separator of Windows. */
const forbidden = /[\p{Cc}\\]/u;
const driveLetter = /^[A-Za-z]:/;
/** Names that are devices to Windows in every folder and with every ending. */
const windowsDevice = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(?:[.:]|$)/i;
/** `.` and `..`, also with what Windows drops at the end of a name. */
const onlyDots = /^\.{1,2}[. ]*$/;

/** True for a name that can only mean something below the library. The disk is not asked. */
export function isSongName(name: string): boolean {
  if (name === "" || !name.isWellFormed() || Buffer.byteLength(name) > maxSongNameBytes) return false;
  if (forbidden.test(name) || driveLetter.test(name)) return false;
  return name.split("/").every(isSegment);
}

function isSegment(segment: string): boolean {
  return segment !== "" && !onlyDots.test(segment) && !windowsDevice.test(segment);
}
