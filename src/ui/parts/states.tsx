/** What a view shows when it has nothing to show: it is empty, loading, or has failed. */
import type { ComponentChildren, JSX } from "preact";
import { useRef, useState } from "preact/hooks";
import { settingOf } from "../app/address.ts";
import { connection } from "../app/connection.ts";
import { Button, IconButton } from "./button.tsx";
import { commandText } from "./command-text.ts";
import { describeError } from "./describe-error.ts";
import { Icon, type IconName } from "./icon.tsx";
import { notifyError } from "./toasts.tsx";

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ComponentChildren;
  /** A command that fills it. */
  command?: string;
}

export function Empty({ icon, title, children, command }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      <span class="empty-icon">
        <Icon name={icon} size={28} />
      </span>
      <h2>{title}</h2>
      {children !== undefined && <p class="muted">{children}</p>}
      {command !== undefined && <Command text={command} />}
    </div>
  );
}

/** A command that one can copy, given as it is in the source. */
export function Command({ text }: { text: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const code = useRef<HTMLElement>(null);
  const command = commandText(text, settingOf("command"));
  const copy = () => {
    // Pages without TLS have no clipboard: then the text is selected, and a key copies it.
    if (navigator.clipboard === undefined) getSelection()?.selectAllChildren(code.current!);
    else navigator.clipboard.writeText(command).then(() => setCopied(true), notifyError);
  };
  return (
    <div class="command">
      <code ref={code} tabIndex={0}>
        {command}
      </code>
      <IconButton
        icon={isCopied ? "check" : "copy"}
        label={isCopied ? "Copied" : "Copy"}
        onClick={copy}
        size={16}
      />
    </div>
  );
}

export function Loading({ rows = 6 }: { rows?: number }): JSX.Element {
  return (
    <div class="loading" role="status">
      <span class="spoken">Loading</span>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} class="skeleton" aria-hidden="true" />
      ))}
    </div>
  );
}

export function Failure({ error, onRetry }: { error: unknown; onRetry: () => void }): JSX.Element {
  // The banner says it, and what failed loads again when the server is back.
  if (connection.value !== "connected") return <Loading />;
  const { message, hint } = describeError(error);
  return (
    <div class="failure" role="alert">
      <Icon name="warning" />
      <div>
        <p>{message}</p>
        {hint !== "" && <p class="muted">{hint}</p>}
      </div>
      <Button onClick={onRetry}>Try again</Button>
    </div>
  );
}
