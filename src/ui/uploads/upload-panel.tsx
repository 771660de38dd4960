/** The uploads of this page: how far they are, and keys to pause and resume them. */
import type { JSX } from "preact";
import { useSignal } from "@preact/signals";
import { Link } from "wouter-preact";
import { Button, IconButton } from "../parts/button.tsx";
import { formatBytes } from "../parts/format.ts";
import { Progress } from "../parts/progress.tsx";
import { describeError } from "../parts/describe-error.ts";
import { uploads } from "./upload-list.ts";
import { useRate } from "./use-rate.ts";
import { clearFinished, dropUpload, pauseUpload, resumeUpload } from "./uploads.ts";
import type { Upload } from "./upload.ts";

export function UploadPanel(): JSX.Element | null {
  const isOpen = useSignal(true);
  const all = uploads.value;
  if (all.length === 0) return null;
  const done = all.filter(({ isOver }) => isOver).length;
  return (
    <section class="uploads" aria-label="Uploads">
      <header class="uploads-head">
        <h2 aria-live="polite">
          {done === all.length ? `${done} uploaded` : `Uploading ${done + 1} of ${all.length}`}
        </h2>
        {done > 0 && <Button onClick={clearFinished}>Clear finished</Button>}
        <IconButton
          icon={isOpen.value ? "down" : "up"}
          label={isOpen.value ? "Hide uploads" : "Show uploads"}
          onClick={() => (isOpen.value = !isOpen.value)}
        />
      </header>
      {isOpen.value && (
        <ul class="uploads-list">
          {all.map((upload) => (
            <UploadRow key={upload.record.streamId} upload={upload} />
          ))}
        </ul>
      )}
    </section>
  );
}

function UploadRow({ upload }: { upload: Upload }): JSX.Element {
  const { record, state, written, sha256 } = upload;
  const { name, size, streamId } = record;
  return (
    <li class="upload">
      <div class="upload-line">
        {state.value === "done" ? (
          <Link href={`/streams/${streamId}`} class="cut" dir="auto">
            {name}
          </Link>
        ) : (
          <span class="cut" dir="auto">
            {name}
          </span>
        )}
        <UploadKeys upload={upload} />
      </div>
      {state.value !== "done" && <Progress label={`Upload of ${name}`} done={written.value} total={size} />}
      <UploadStatus upload={upload} />
      {sha256.value !== undefined && (
        <p class="muted mono cut" title={sha256.value}>
          SHA-256 {sha256.value}
        </p>
      )}
    </li>
  );
}

function UploadStatus({ upload }: { upload: Upload }): JSX.Element {
  const { record, state, written, error } = upload;
  const rate = useRate(written);
  const part = `${formatBytes(written.value)} of ${formatBytes(record.size)}`;
  const texts = {
    waiting: "Waiting",
    running: `${part}${rate > 0 ? ` · ${formatBytes(rate)}/s` : ""}`,
    paused: `Paused · ${part}`,
    "needs file": "Interrupted. Drop the same file again to continue.",
    done: `${formatBytes(record.size)} · verified`,
    failed: `${describeError(error.value).message} ${describeError(error.value).hint}`,
  };
  const kind = state.value === "failed" ? "form-error" : "muted figure";
  return <p class={`upload-status ${kind}`}>{texts[state.value]}</p>;
}

function UploadKeys({ upload }: { upload: Upload }): JSX.Element {
  const state = upload.state.value;
  const { name } = upload.record;
  return (
    <span class="upload-keys">
      {(state === "running" || state === "waiting") && (
        <IconButton icon="pause" label={`Pause ${name}`} size={16} onClick={() => pauseUpload(upload)} />
      )}
      {(state === "paused" || state === "failed") && (
        <IconButton icon="play" label={`Resume ${name}`} size={16} onClick={() => resumeUpload(upload)} />
      )}
      {state !== "done" && (
        <IconButton icon="close" label={`Stop ${name}`} size={16} onClick={() => dropUpload(upload)} />
      )}
    </span>
  );
}
