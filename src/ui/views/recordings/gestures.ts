/**
 * Wheel, drag and pinch on a timeline. A drag selects or moves, as the user has chosen; with the Shift key it does the
 * other. Two fingers zoom and move. A wheel zooms; sideways, or with Shift, it moves.
 */

export interface GestureHandlers {
  zoom: (factor: number, x: number) => void;
  pan: (px: number) => void;
  select: (fromX: number, toX: number) => void;
  tap: (x: number) => void;
  /** Undefined when the pointer leaves. */
  hover: (x: number | undefined) => void;
  /** Whether a drag selects. */
  dragSelects: () => boolean;
}

const tapPx = 4;
const zoomPerPx = 0.0018;
/** A wheel turns by lines or pages in some browsers. */
const lineWheelPx = 30;

/** The function that it returns ends it. */
export function followGestures(element: HTMLElement, handlers: GestureHandlers): () => void {
  const gesture = new Gesture(element, handlers);
  const ending = new AbortController();
  const { signal } = ending;
  element.addEventListener("wheel", (event) => gesture.wheel(event), { signal, passive: false });
  element.addEventListener("pointerdown", (event) => gesture.down(event), { signal });
  element.addEventListener("pointermove", (event) => gesture.move(event), { signal });
  for (const name of ["pointerup", "pointercancel"] as const) {
    element.addEventListener(name, (event) => gesture.up(event), { signal });
  }
  element.addEventListener("pointerleave", () => handlers.hover(undefined), { signal });
  return () => ending.abort();
}

class Gesture {
  readonly #element: HTMLElement;
  readonly #handlers: GestureHandlers;
  /** Places of the pointers that are down. */
  readonly #pointers = new Map<number, number>();
  #startX = 0;
  #isDrag = false;
  #selects = false;

  constructor(element: HTMLElement, handlers: GestureHandlers) {
    this.#element = element;
    this.#handlers = handlers;
  }

  wheel(event: WheelEvent): void {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : lineWheelPx;
    const [x, y] = [event.deltaX * unit, event.deltaY * unit];
    if (event.shiftKey || Math.abs(x) > Math.abs(y)) this.#handlers.pan(x === 0 ? y : x);
    else this.#handlers.zoom(Math.exp(y * zoomPerPx), this.#xOf(event));
  }

  down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#element.setPointerCapture(event.pointerId);
    const x = this.#xOf(event);
    this.#pointers.set(event.pointerId, x);
    if (this.#pointers.size > 1) return;
    this.#startX = x;
    this.#isDrag = false;
    this.#selects = this.#handlers.dragSelects() !== event.shiftKey;
  }

  move(event: PointerEvent): void {
    const x = this.#xOf(event);
    this.#handlers.hover(x);
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    if (this.#pointers.size > 1) this.#pinch(event.pointerId, before, x);
    else this.#drag(before, x);
    this.#pointers.set(event.pointerId, x);
  }

  up(event: PointerEvent): void {
    const isKnown = this.#pointers.delete(event.pointerId);
    if (!isKnown || this.#pointers.size > 0) return;
    if (event.type === "pointerup" && !this.#isDrag) this.#handlers.tap(this.#xOf(event));
  }

  #drag(before: number, x: number): void {
    this.#isDrag ||= Math.abs(x - this.#startX) > tapPx;
    if (!this.#isDrag) return;
    if (this.#selects) this.#handlers.select(this.#startX, x);
    else this.#handlers.pan(before - x);
  }

  #pinch(id: number, before: number, x: number): void {
    this.#isDrag = true;
    const other = Array.from(this.#pointers).find(([each]) => each !== id)![1];
    const [distance, wanted] = [Math.abs(before - other), Math.abs(x - other)];
    const middle = (x + other) / 2;
    if (distance > 0 && wanted > 0) this.#handlers.zoom(distance / wanted, middle);
    this.#handlers.pan((before - x) / 2);
  }

  #xOf(event: MouseEvent): number {
    return event.clientX - this.#element.getBoundingClientRect().left;
  }
}
