import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useLocation } from "wouter-preact";
import type { Stream } from "../../api/resources.ts";
import { pinStream, removeStream } from "../../api/streams.ts";
import { addressOf } from "../../app/address.ts";
import { grants } from "../../app/session.ts";
import { currentTrack, stop } from "../../audio/player.ts";
import { titleOfStream, trackOfStream } from "../../audio/tracks.ts";
import { Button } from "../../parts/button.tsx";
import { Icon } from "../../parts/icon.tsx";
import { notify, notifyError, notifyUndoable } from "../../parts/toasts.tsx";
import { ShareDialog } from "./share-dialog.tsx";
import type { StreamList } from "./stream-list.ts";

interface StreamActionsProps {
  stream: Stream;
  list: StreamList;
  onChange: () => void;
}

export function StreamActions({ stream, list, onChange }: StreamActionsProps): JSX.Element {
  const isSharing = useSignal(false);
  const [, navigate] = useLocation();
  const resource = `streams/${stream.streamId}`;
  const mayRemove = grants.value.may("remove", resource);
  const remove = () => {
    removeLater(stream, list);
    navigate("/streams");
  };
  return (
    <div class="actions">
      {!stream.damaged && stream.size > 0 && <Download stream={stream} />}
      {stream.state === "finished" && (
        <Button icon="share" onClick={() => (isSharing.value = true)}>
          Share
        </Button>
      )}
      {stream.pinned !== undefined && mayRemove && (
        <Button icon="pin" onClick={() => void togglePin(stream).then(onChange).catch(notifyError)}>
          {stream.pinned ? "Unpin" : "Pin"}
        </Button>
      )}
      {mayRemove && (
        <Button icon="remove" kind="danger" onClick={remove}>
          Remove
        </Button>
      )}
      {isSharing.value && <ShareDialog stream={stream} onClose={() => (isSharing.value = false)} />}
    </div>
  );
}

function Download({ stream }: { stream: Stream }): JSX.Element {
  const { audioPath } = trackOfStream(stream);
  return (
    <a class="button plain" href={`${addressOf(audioPath)}?download=1`} download>
      <Icon name="download" size={18} />
      Download
    </a>
  );
}

async function togglePin({ streamId, pinned }: Stream): Promise<void> {
  await pinStream(streamId, pinned !== true);
  notify(
    pinned === true ? "Unpinned: the limits decide about it again" : "Pinned: it stays whatever the limits",
  );
}

/** The stream leaves the list at once, and the server when it is too late to undo. */
function removeLater(stream: Stream, list: StreamList): void {
  const putBack = list.remove(stream.streamId);
  if (currentTrack.value?.key === trackOfStream(stream).key) stop();
  const commit = () => {
    removeStream(stream.streamId).catch((error: unknown) => {
      putBack();
      notifyError(error);
    });
  };
  notifyUndoable(`Removed ${titleOfStream(stream)}`, { undo: putBack, commit });
}
