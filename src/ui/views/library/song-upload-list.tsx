/** The songs that are on their way into the library, and what the user has to decide about them. */
import type { JSX } from "preact";
import { Button, IconButton } from "../../parts/button.tsx";
import { describeError } from "../../parts/describe-error.ts";
import { formatBytes } from "../../parts/format.ts";
import { Progress } from "../../parts/progress.tsx";
import { notifyError } from "../../parts/toasts.tsx";
import { useRate } from "../../uploads/use-rate.ts";
import { dropSong, retrySong, type SongUpload, songUploads } from "./song-uploads.ts";

export function SongUploadList(): JSX.Element | null {
  const all = songUploads.value;
  if (all.length === 0) return null;
  return (
    <section class="card song-uploads" aria-label="Uploads into the library">
      <ul>
        {all.map((upload) => (
          <SongUploadRow key={upload.name} upload={upload} />
        ))}
      </ul>
    </section>
  );
}

function SongUploadRow({ upload }: { upload: SongUpload }): JSX.Element {
  const { name, file, state, sent } = upload;
  return (
    <li class="upload">
      <div class="upload-line">
        <span class="cut" dir="auto">
          {name}
        </span>
        <IconButton icon="close" label={`Stop ${name}`} size={16} onClick={() => dropSong(upload)} />
      </div>
      {state.value === "running" && (
        <Progress label={`Upload of ${name}`} done={sent.value} total={file.size} />
      )}
      <SongUploadStatus upload={upload} />
    </li>
  );
}

function SongUploadStatus({ upload }: { upload: SongUpload }): JSX.Element {
  const { file, state, sent, error } = upload;
  const rate = useRate(sent);
  if (state.value === "taken") {
    return (
      <Decision text="The library has another song of this name.">
        <Button kind="danger" onClick={() => retry(upload, true)}>
          Replace it
        </Button>
      </Decision>
    );
  }
  if (state.value === "failed") {
    const { message, hint } = describeError(error.value);
    return (
      <Decision text={`${message} ${hint}`}>
        <Button onClick={() => retry(upload, upload.replace)}>Try again</Button>
      </Decision>
    );
  }
  const part = `${formatBytes(sent.value)} of ${formatBytes(file.size)}`;
  const text =
    state.value === "waiting" ? "Waiting" : `${part}${rate > 0 ? ` · ${formatBytes(rate)}/s` : ""}`;
  return <p class="upload-status muted figure">{text}</p>;
}

function Decision({ text, children }: { text: string; children: JSX.Element }): JSX.Element {
  return (
    <div class="song-decision" role="alert">
      <p class="upload-status form-error">{text}</p>
      {children}
    </div>
  );
}

function retry(upload: SongUpload, replace: boolean): void {
  retrySong(upload, replace).catch(notifyError);
}
