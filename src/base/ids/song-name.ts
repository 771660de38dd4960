/** Names of songs: the path of a file below the library folder, with `/` as the separator on every system. */
import { maxSongNameBytes } from "../limits/library.ts";

/** Control characters, including those of the second half of Latin-1, and the separator of Windows. */
const forbidden = /[\p{Cc}\\]/u;
const driveLetter = /^[A-Za-z]:/;
/** Names that Windows takes for devices, in every folder and with every extension. */
const windowsDevice = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ ]*(?:[.:]|$)/i;
/** `.` and `..`, also with the dots and spaces that Windows drops at the end of a name. */
const onlyDots = /^\.{1,2}[. ]*$/;

/** True for a name that cannot lead out of the library folder. The check does not touch the disk. */
export function isSongName(name: string): boolean {
  if (name === "" || !name.isWellFormed() || Buffer.byteLength(name) > maxSongNameBytes) return false;
  if (forbidden.test(name) || driveLetter.test(name)) return false;
  return name.split("/").every(isSegment);
}

function isSegment(segment: string): boolean {
  return segment !== "" && !onlyDots.test(segment) && !windowsDevice.test(segment);
}
