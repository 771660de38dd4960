/** Takes files that are dropped anywhere on the page. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { grants } from "../app/session.ts";
import { Icon } from "../parts/icon.tsx";
import { notify, notifyError } from "../parts/toasts.tsx";
import { dropTaker } from "./drop-taker.ts";
import { type DroppedFile, filesOfDrop, isAudioFile } from "./dropped-files.ts";
import { keptUploads } from "./upload-store.ts";

const isOver = signal(false);

export function DropTarget(): JSX.Element {
  useEffect(() => {
    restore().catch(notifyError);
    const listeners = { dragenter: onDrag, dragover: onDrag, dragleave: onLeave, drop: onDrop };
    const all = Object.entries(listeners) as [keyof typeof listeners, (event: DragEvent) => void][];
    for (const [name, listener] of all) addEventListener(name, listener);
    return () => {
      for (const [name, listener] of all) removeEventListener(name, listener);
    };
  }, []);
  return (
    <div class={isOver.value ? "drop-target over" : "drop-target"} aria-hidden="true">
      <Icon name="upload" size={40} />
      <p>{dropTaker.value?.text ?? "Drop audio files or folders to upload them"}</p>
    </div>
  );
}

/** Uploads the audio among the files, and says what was left out. */
export async function uploadFiles(files: readonly DroppedFile[]): Promise<void> {
  const audio = files.filter(({ file }) => isAudioFile(file) && file.size > 0);
  const skipped = files.length - audio.length;
  if (skipped > 0) notify(`${skipped} ${skipped === 1 ? "file is" : "files are"} no audio, and not uploaded`);
  if (audio.length === 0) return;
  const { addFiles } = await import("./uploads.ts");
  await addFiles(audio);
}

async function restore(): Promise<void> {
  const kept = await keptUploads();
  if (kept.length === 0) return;
  const { restoreUploads } = await import("./uploads.ts");
  await restoreUploads(kept);
}

function mayTake(event: DragEvent): boolean {
  const isWanted = dropTaker.value !== undefined || grants.value.maySome("upload", "streams");
  return isWanted && event.dataTransfer?.types.includes("Files") === true;
}

function onDrag(event: DragEvent): void {
  if (!mayTake(event)) return;
  event.preventDefault();
  isOver.value = true;
}

function onLeave(event: DragEvent): void {
  // Null where the pointer leaves the window.
  if (event.relatedTarget === null) isOver.value = false;
}

function onDrop(event: DragEvent): void {
  if (!mayTake(event)) return;
  event.preventDefault();
  isOver.value = false;
  const take = dropTaker.value?.take ?? uploadFiles;
  filesOfDrop(event.dataTransfer!).then(take).catch(notifyError);
}
