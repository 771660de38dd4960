/** The colors of a spectrogram: from the surface, through the accent, to the text, as the theme has them. */

type Color = readonly [red: number, green: number, blue: number];

/** 256 colors, as the bytes of pixels. */
export function spectrumColors(low: string, middle: string, high: string): Uint8ClampedArray {
  const [from, through, to] = [low, middle, high].map(parseColor) as [Color, Color, Color];
  const pixels = new Uint8ClampedArray(4 * 256);
  for (let level = 0; level < 256; level++) {
    const share = level / 255;
    const color = share < 0.6 ? mix(from, through, share / 0.6) : mix(through, to, (share - 0.6) / 0.4);
    pixels.set([...color, 255], 4 * level);
  }
  return pixels;
}

/** `#rrggbb`. */
function parseColor(text: string): Color {
  const value = Number.parseInt(text.trim().slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

function mix(a: Color, b: Color, share: number): Color {
  const part = (at: 0 | 1 | 2) => a[at] + (b[at] - a[at]) * share;
  return [part(0), part(1), part(2)];
}
