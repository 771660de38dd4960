import type { JSX } from "preact";
import { Link, useLocation } from "wouter-preact";
import { listenings, stopListening } from "../../audio/live.ts";
import { recording, stopRecording } from "../../audio/recorder.ts";
import { IconButton } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";

/** What is heard live, and the microphone that is on, on all views but those that show it anyhow. */
export function ListeningChips(): JSX.Element | null {
  const [location] = useLocation();
  const heard = location === "/live" ? [] : listenings.value;
  const sent = location === "/record" ? undefined : recording.value;
  if (heard.length === 0 && sent === undefined) return null;
  return (
    <ul class="listening" aria-label="Live audio">
      {sent !== undefined && (
        <li class="listening-chip">
          <Icon name="microphone" size={18} />
          <Link href="/record" class="cut row-link" dir="auto">
            {sent.name}
          </Link>
          <IconButton icon="close" label={`Stop recording ${sent.name}`} size={16} onClick={stopRecording} />
        </li>
      )}
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
