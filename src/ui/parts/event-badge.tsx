import type { JSX } from "preact";

/** The type of an event, in the color of what it means. */
export function EventBadge({ type }: { type: string }): JSX.Element {
  return <span class={`badge ${kindOf(type)}`}>{type}</span>;
}

function kindOf(type: string): string {
  if (/damaged|low|clipping/.test(type)) return "danger";
  if (/lost|interrupted|expired|removed/.test(type)) return "warn";
  return /finished|opened|connected|active/.test(type) ? "ok" : "";
}
