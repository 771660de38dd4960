import type { JSX } from "preact";
import type { Stream } from "../../api/resources.ts";
import { shareStream } from "../../api/streams.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { ShareLink } from "../../parts/share-link.tsx";

/** Makes a link with which anybody hears the stream, until it expires. */
export function ShareDialog({ stream, onClose }: { stream: Stream; onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Share this stream" onClose={onClose}>
      <p class="muted">Whoever has the link hears and downloads this stream, without a token.</p>
      <ShareLink make={(expires) => shareStream(stream.streamId, expires)} />
    </Dialog>
  );
}
