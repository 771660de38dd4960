/** What a view shows when it has nothing to show: it is empty, loading, or has failed. */
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../api/request.ts";
import { connection } from "../app/connection.ts";
import { Button, IconButton } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";

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

/** A command that one can copy. */
export function Command({ text }: { text: string }): JSX.Element {
  const [isCopied, setCopied] = useState(false);
  const copy = () => {
    void navigator.clipboard?.writeText(text).then(() => setCopied(true));
  };
  return (
    <div class="command">
      <code tabIndex={0}>{text}</code>
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

/** As a sentence, with what to do about it. */
export function describeError(error: unknown): { message: string; hint: string } {
  if (!(error instanceof Error)) return { message: String(error), hint: "" };
  const { message } = error;
  const sentence = `${message.charAt(0).toUpperCase()}${message.slice(1)}.`;
  return { message: sentence, hint: error instanceof ApiError ? error.hint : "" };
}
