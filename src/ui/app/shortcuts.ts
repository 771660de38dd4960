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
  if (event.ctrlKey || event.metaKey || event.altKey || hasOwnKeys(event.target)) return;
  if (event.key === "/") focusSearch(event);
  else if (currentTrack.value === undefined) return;
  else if (event.key === " ") act(event, toggle);
  else if (event.key === "ArrowLeft") act(event, () => skip(-skipSeconds));
  else if (event.key === "ArrowRight") act(event, () => skip(skipSeconds));
}

/** Whether the focused element does something with these keys itself. */
function hasOwnKeys(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, textarea, select, button, a, dialog, [role=slider]") !== null
  );
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
