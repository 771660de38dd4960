/** Short notices at the edge of the page. One with an action can be undone until it leaves. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { IconButton } from "./button.tsx";
import { describeError } from "./describe-error.ts";

interface Toast {
  id: number;
  text: string;
  kind: "notice" | "error";
  ms: number;
  undo?: (() => void) | undefined;
  /** Called once it has left without an undo. */
  onEnd?: (() => void) | undefined;
}

const toasts = signal<readonly Toast[]>([]);
let lastId = 0;

const noticeMs = 4_000;
const errorMs = 9_000;
const undoMs = 6_000;

export function notify(text: string): void {
  add({ text, kind: "notice", ms: noticeMs });
}

export function notifyError(error: unknown): void {
  const { message, hint } = describeError(error);
  add({ text: hint === "" ? message : `${message} ${hint}`, kind: "error", ms: errorMs });
}

/** `commit` runs when the toast leaves, and at once if the page is closed before; `undo` instead if that is chosen. */
export function notifyUndoable(text: string, actions: { undo: () => void; commit: () => void }): void {
  add({ text, kind: "notice", ms: undoMs, undo: actions.undo, onEnd: actions.commit });
}

addEventListener("pagehide", () => {
  for (const { id } of toasts.value) end(id);
});

function add(toast: Omit<Toast, "id">): void {
  lastId += 1;
  toasts.value = [...toasts.value, { ...toast, id: lastId }];
}

function end(id: number, isUndone = false): void {
  const toast = toasts.value.find((each) => each.id === id);
  if (toast === undefined) return;
  toasts.value = toasts.value.filter((each) => each !== toast);
  if (isUndone) toast.undo?.();
  else toast.onEnd?.();
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastView({ toast }: { toast: Toast }): JSX.Element {
  const { id, text, kind, ms, undo } = toast;
  useEffect(() => {
    const timer = setTimeout(end, ms, id);
    return () => clearTimeout(timer);
  }, [id, ms]);
  return (
    <div class={`toast ${kind}`}>
      <span dir="auto">{text}</span>
      {undo !== undefined && (
        <button type="button" class="toast-action" onClick={() => end(id, true)}>
          Undo
        </button>
      )}
      <IconButton icon="close" label="Dismiss" size={16} onClick={() => end(id)} />
    </div>
  );
}
