/** The frequencies of what is heard, of the last seconds: low ones below, the newest at the right. */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { currentTheme } from "../../app/theme.ts";
import { spectrumColors } from "./spectrum-colors.ts";

interface SpectrogramProps {
  label: string;
  analyser: AnalyserNode;
}

const [width, height] = [480, 96];
const columnMs = 33;
const lowestHz = 60;
const highestHz = 12_000;

export function Spectrogram({ label, analyser }: SpectrogramProps): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = currentTheme();
  useEffect(() => {
    const timer = setInterval(startColumns(canvas.current!, analyser), columnMs);
    return () => clearInterval(timer);
  }, [analyser, theme]);
  return (
    <canvas ref={canvas} class="spectrogram" width={width} height={height} role="img" aria-label={label} />
  );
}

/** Draws the next column each time that it is called. */
function startColumns(canvas: HTMLCanvasElement, analyser: AnalyserNode): () => void {
  const context = canvas.getContext("2d")!;
  const style = getComputedStyle(canvas);
  const color = (name: string) => style.getPropertyValue(name);
  const colors = spectrumColors(color("--raised"), color("--accent"), color("--text"));
  const bins = new Uint8Array(analyser.frequencyBinCount);
  const rows = binsOfRows(analyser);
  const column = context.createImageData(1, height);
  context.fillStyle = color("--raised");
  context.fillRect(0, 0, width, height);
  return () => {
    analyser.getByteFrequencyData(bins);
    for (const [row, bin] of rows.entries()) {
      const level = bins[bin]!;
      column.data.set(colors.subarray(4 * level, 4 * level + 4), 4 * row);
    }
    context.drawImage(canvas, -1, 0);
    context.putImageData(column, width - 1, 0);
  };
}

/** Octaves have equal heights. */
function binsOfRows(analyser: AnalyserNode): number[] {
  const hzPerBin = analyser.context.sampleRate / 2 / analyser.frequencyBinCount;
  return Array.from({ length: height }, (_, row) => {
    const hz = lowestHz * (highestHz / lowestHz) ** (1 - row / (height - 1));
    return Math.min(analyser.frequencyBinCount - 1, Math.round(hz / hzPerBin));
  });
}
