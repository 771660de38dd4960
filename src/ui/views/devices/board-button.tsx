/** A button of a device. A click of assistive technology, without a pointer or a key, presses it. */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { type DeviceButton, type DeviceButtonEvent, useButton } from "../../api/devices.ts";
import { notifyError } from "../../parts/toasts.tsx";
import { HoldGesture } from "./hold-gesture.ts";

interface BoardButtonProps {
  deviceId: string;
  button: DeviceButton;
  label: string;
  title: string;
  /** On the board itself, or by anybody's page. */
  isHeld: boolean;
  isDisabled: boolean;
}

export function BoardButton({
  deviceId,
  button,
  label,
  title,
  isHeld,
  isDisabled,
}: BoardButtonProps): JSX.Element {
  const touch = useTouch(deviceId, button);
  return (
    <button
      type="button"
      class={isHeld ? "board-button held" : "board-button"}
      aria-pressed={isHeld}
      title={title}
      disabled={isDisabled}
      {...touch}
    >
      <span class="board-button-cap" aria-hidden="true" />
      {label}
    </button>
  );
}

/** The listeners of a button that can be held. */
function useTouch(deviceId: string, button: DeviceButton): JSX.HTMLAttributes<HTMLButtonElement> {
  const gesture = useMemo(() => new HoldGesture(sender(deviceId, button)), [deviceId, button]);
  useReleaseOfHidden(gesture);
  const isByPointer = useRef(false);
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      isByPointer.current = true;
      event.currentTarget.setPointerCapture(event.pointerId);
      gesture.begin();
    },
    onPointerUp: () => gesture.end(),
    onPointerCancel: () => gesture.cancel(),
    onLostPointerCapture: () => gesture.cancel(),
    // A long touch would open the menu of the browser.
    onContextMenu: (event) => event.preventDefault(),
    onKeyDown: (event) => {
      if (!isKey(event)) return;
      event.preventDefault();
      gesture.begin();
    },
    onKeyUp: (event) => {
      if (!isKey(event)) return;
      event.preventDefault();
      gesture.end();
    },
    onBlur: () => gesture.cancel(),
    onClick: () => {
      if (!isByPointer.current) sender(deviceId, button)("press");
      isByPointer.current = false;
    },
  };
}

/** The keys that press a button. */
function isKey({ key }: KeyboardEvent): boolean {
  return key === " " || key === "Enter";
}

/** Nobody sees that a button is held once the window has lost the focus, or the page is left. */
function useReleaseOfHidden(gesture: HoldGesture): void {
  useEffect(() => {
    const cancel = () => gesture.cancel();
    const cancelHidden = () => document.hidden && cancel();
    addEventListener("blur", cancel);
    addEventListener("pagehide", cancel);
    document.addEventListener("visibilitychange", cancelHidden);
    return () => {
      removeEventListener("blur", cancel);
      removeEventListener("pagehide", cancel);
      document.removeEventListener("visibilitychange", cancelHidden);
      cancel();
    };
  }, [gesture]);
}

/** Its effect arrives with the state of the device. */
function sender(deviceId: string, button: DeviceButton): (event: DeviceButtonEvent) => void {
  return (event) => void useButton(deviceId, button, event).catch(notifyError);
}
