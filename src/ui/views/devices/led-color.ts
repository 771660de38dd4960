/** The colors of LEDs, as they shine: their alpha is their brightness. */

export interface LedColor {
  /** Undefined for an LED that is off. */
  color: string | undefined;
  /** For screen readers. */
  name: string;
}

/** `#RRGGBBAA`. */
export function ledColor(rgba: string): LedColor {
  const [red, green, blue, alpha] = [1, 3, 5, 7].map((at) => Number.parseInt(rgba.slice(at, at + 2), 16));
  const isOff = alpha === 0 || Math.max(red!, green!, blue!) === 0;
  return isOff ? { color: undefined, name: "off" } : { color: rgba, name: nameOf(red!, green!, blue!) };
}

const named = [
  ["red", 255, 0, 0],
  ["green", 0, 255, 0],
  ["blue", 0, 0, 255],
  ["yellow", 255, 255, 0],
  ["orange", 255, 140, 0],
  ["cyan", 0, 255, 255],
  ["magenta", 255, 0, 255],
  ["white", 255, 255, 255],
] as const;

/** Of the nearest color that has a name, at full brightness. */
function nameOf(red: number, green: number, blue: number): string {
  const factor = 255 / Math.max(red, green, blue);
  const distances = named.map(([name, r, g, b]) => {
    const squares = [red * factor - r, green * factor - g, blue * factor - b].map((part) => part ** 2);
    return { name, distance: squares.reduce((sum, square) => sum + square, 0) };
  });
  return distances.reduce((best, each) => (each.distance < best.distance ? each : best)).name;
}
