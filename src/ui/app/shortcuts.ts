/** Keys that work everywhere on the page: space plays, arrows seek, slash searches. */
import { useEffect } from "preact/hooks";
import { currentTrack, skip, toggle } from "../audio/player.ts";

const skipSeconds = 5;

export function useShortcuts(): void {
  useEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || isIn(event.target, "input, textarea, select, dialog"))
    return;
  if (event.key === "/") focusSearch(event);
  else if (currentTrack.value === undefined || isIn(event.target, "button, a, [role=slider]")) return;
  else if (event.key === " ") act(event, toggle);
  else if (event.key === "ArrowLeft") act(event, () => skip(-skipSeconds));
  else if (event.key === "ArrowRight") act(event, () => skip(skipSeconds));
}

/** Whether the focus is where these keys have a meaning of their own. */
function isIn(target: EventTarget | null, selector: string): boolean {
  return target instanceof Element && target.closest(selector) !== null;
}

function act(event: KeyboardEvent, action: () => void): void {
  event.preventDefault();
  action();
}

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>("input[type=search]");
  if (search === null) return;
  act(event, () => search.select());
}
