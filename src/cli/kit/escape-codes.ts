/** The control characters that the client reads from and writes to a terminal (ECMA-48, and xterm's private modes). */

export const escape = "\u001b";

/** What Ctrl-C and Ctrl-D send in raw mode. */
export const ctrlC = "\u0003";
export const ctrlD = "\u0004";

const csi = `${escape}[`;

export const cursorHome = `${csi}H`;
export const clearToLineEnd = `${csi}K`;
export const clearToScreenEnd = `${csi}J`;
export const clearLine = `\r${clearToLineEnd}`;

const hideCursor = `${csi}?25l`;
const showCursor = `${csi}?25h`;
/** The alternate screen has no scrollback; leaving it restores what the terminal showed before. */
const enterAlternateScreen = `${csi}?1049h`;
const leaveAlternateScreen = `${csi}?1049l`;

export const enterFullScreen = enterAlternateScreen + hideCursor;
export const leaveFullScreen = showCursor + leaveAlternateScreen;

/** The text on a background of this 24-bit color. */
export function onBackground(text: string, red: number, green: number, blue: number): string {
  return `${csi}48;2;${red};${green};${blue}m${text}${csi}0m`;
}

export function dim(text: string): string {
  return `${csi}2m${text}${csi}0m`;
}

/** In the color of warnings. */
export function emphasised(text: string): string {
  return `${csi}1;31m${text}${csi}0m`;
}
