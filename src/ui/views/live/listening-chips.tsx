import type { JSX } from "preact";
import { Link, useLocation } from "wouter-preact";
import { listenings, stopListening } from "../../audio/live.ts";
import { IconButton } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";

/** What is heard live, on all views but that of live audio. */
export function ListeningChips(): JSX.Element | null {
  const [location] = useLocation();
  const heard = listenings.value;
  if (heard.length === 0 || location === "/live") return null;
  return (
    <ul class="listening" aria-label="Live audio">
      {heard.map(({ name }) => (
        <li key={name} class="listening-chip">
          <Icon name="live" size={18} />
          <Link href="/live" class="cut row-link" dir="auto">
            {name}
          </Link>
          <IconButton icon="close" label={`Stop ${name}`} size={16} onClick={() => stopListening(name)} />
        </li>
      ))}
    </ul>
  );
}
