import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface CardProps {
  title: string;
  /** A figure beside the title. */
  note?: string | undefined;
  isWide?: boolean;
  children: ComponentChildren;
}

export function Card({ title, note, isWide = false, children }: CardProps): JSX.Element {
  const titleId = useId();
  return (
    <section class={isWide ? "card wide" : "card"} aria-labelledby={titleId}>
      <header class="card-head">
        <h2 id={titleId}>{title}</h2>
        {note !== undefined && <span class="muted figure">{note}</span>}
      </header>
      {children}
    </section>
  );
}
