import type { ComponentChildren, JSX } from "preact";
import { Icon, type IconName } from "./icon.tsx";

interface ButtonProps {
  children: ComponentChildren;
  onClick?: (event: MouseEvent) => void;
  kind?: "plain" | "main" | "danger";
  icon?: IconName;
  type?: "button" | "submit";
  isDisabled?: boolean;
}

export function Button({
  children,
  onClick,
  kind = "plain",
  icon,
  type,
  isDisabled,
}: ButtonProps): JSX.Element {
  return (
    <button type={type ?? "button"} class={`button ${kind}`} onClick={onClick} disabled={isDisabled ?? false}>
      {icon !== undefined && <Icon name={icon} size={18} />}
      {children}
    </button>
  );
}

interface IconButtonProps {
  icon: IconName;
  /** Its name, for screen readers and as a hint. */
  label: string;
  onClick?: (event: MouseEvent) => void;
  isPressed?: boolean;
  isDisabled?: boolean;
  size?: number;
}

export function IconButton({
  icon,
  label,
  onClick,
  isPressed,
  isDisabled,
  size,
}: IconButtonProps): JSX.Element {
  const toggle = isPressed === undefined ? {} : { "aria-pressed": isPressed };
  return (
    <button
      type="button"
      class="icon-button"
      aria-label={label}
      title={label}
      onClick={onClick}
      disabled={isDisabled ?? false}
      {...toggle}
    >
      <Icon name={icon} size={size ?? 20} />
    </button>
  );
}
