import type { JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { currentTheme } from "../../app/theme.ts";
import { colorsOf, draw, type Scene } from "./drawing.ts";

interface TimelineCanvasProps {
  canvas: RefObject<HTMLCanvasElement>;
  scene: Scene;
}

/** Draws whenever the scene, the theme or the size has changed. Decorative: what stands around it has a name. */
export function TimelineCanvas({ canvas, scene }: TimelineCanvasProps): JSX.Element {
  const widthPx = useWidth(canvas);
  const theme = currentTheme();
  useLayoutEffect(() => {
    if (canvas.current !== null) draw(canvas.current, scene, colorsOf(canvas.current));
  }, [scene, theme, widthPx]);
  return <canvas ref={canvas} class="timeline-canvas" aria-hidden="true" />;
}

/** Of the element, in pixels of the page; 0 until it is known. */
export function useWidth(element: RefObject<HTMLElement>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [element]);
  return width;
}
