import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { Button } from "../parts/button.tsx";
import { notifyError } from "../parts/toasts.tsx";
import { type DroppedFile, filesOfInput } from "./dropped-files.ts";

/** A button that asks for audio files. */
export function ChooseFiles({ onChosen }: { onChosen: DroppedFilesTaker }): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  const choose = ({ currentTarget }: JSX.TargetedEvent<HTMLInputElement>) => {
    onChosen(filesOfInput(currentTarget.files ?? [])).catch(notifyError);
    currentTarget.value = "";
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        hidden
        multiple
        accept="audio/*,.flac,.opus,.ogg"
        aria-label="Files to upload"
        onChange={choose}
      />
      <Button icon="upload" kind="main" onClick={() => input.current!.click()}>
        Upload
      </Button>
    </>
  );
}

type DroppedFilesTaker = (files: readonly DroppedFile[]) => Promise<void>;
