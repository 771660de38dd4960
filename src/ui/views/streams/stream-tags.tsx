/** The title and the tags of a stream, to read and to change. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { Stream } from "../../api/resources.ts";
import { changeTags } from "../../api/streams.ts";
import { Button, IconButton } from "../../parts/button.tsx";
import { notify, notifyError } from "../../parts/toasts.tsx";

interface StreamTagsProps {
  stream: Stream;
  mayChange: boolean;
  onTag: (key: string, value: string) => void;
  onChange: (changed: Stream) => void;
}

export function StreamTags({ stream, mayChange, onTag, onChange }: StreamTagsProps): JSX.Element {
  const isEditing = useSignal(false);
  const entries = Object.entries(stream.metadata.tags);
  return (
    <section class="tags" aria-label="Title and tags">
      <header class="tags-head">
        <h3>Tags</h3>
        {mayChange && !isEditing.value && (
          <Button icon="edit" onClick={() => (isEditing.value = true)}>
            Edit
          </Button>
        )}
      </header>
      {isEditing.value ? (
        <TagForm
          stream={stream}
          onEnd={(changed) => {
            isEditing.value = false;
            if (changed !== undefined) onChange(changed);
          }}
        />
      ) : (
        <TagList entries={entries} onTag={onTag} />
      )}
    </section>
  );
}

function TagList({
  entries,
  onTag,
}: {
  entries: [string, string][];
  onTag: StreamTagsProps["onTag"];
}): JSX.Element {
  if (entries.length === 0) return <p class="muted">None.</p>;
  return (
    <ul class="chips">
      {entries.map(([key, value]) => (
        <li key={key}>
          <button
            type="button"
            class="chip"
            title={`Show all streams with ${key}: ${value}`}
            onClick={() => onTag(key, value)}
          >
            <span class="cut" dir="auto">
              <span class="muted">{key}</span> {value}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

type Row = [key: string, value: string];

function TagForm({ stream, onEnd }: { stream: Stream; onEnd: (changed?: Stream) => void }): JSX.Element {
  const { tags } = stream.metadata;
  const { title = "", ...others } = tags;
  const [rows, setRows] = useState<readonly Row[]>([["title", title], ...Object.entries(others), ["", ""]]);
  const change = (at: number, row: Row) => setRows(rows.map((each, index) => (index === at ? row : each)));
  const save = (event: Event) => {
    event.preventDefault();
    changeTags(stream.streamId, patchOf(tags, rows)).then((changed) => {
      notify("Saved");
      onEnd(changed);
    }, notifyError);
  };
  return (
    <form class="tag-form" onSubmit={save}>
      {rows.map((row, index) => (
        <TagFields
          key={index}
          row={row}
          isTitle={index === 0}
          onChange={(changed) => change(index, changed)}
          onRemove={() => setRows(rows.filter((each) => each !== row))}
        />
      ))}
      <div class="actions">
        <Button type="submit" kind="main">
          Save
        </Button>
        <Button onClick={() => setRows([...rows, ["", ""]])}>Add a tag</Button>
        <Button onClick={() => onEnd()}>Cancel</Button>
      </div>
    </form>
  );
}

interface TagFieldsProps {
  row: Row;
  isTitle: boolean;
  onChange: (row: Row) => void;
  onRemove: () => void;
}

function TagFields({ row: [key, value], isTitle, onChange, onRemove }: TagFieldsProps): JSX.Element {
  return (
    <div class="tag-fields">
      <input
        class="input"
        aria-label="Name of the tag"
        placeholder="Name"
        value={key}
        readOnly={isTitle}
        maxLength={64}
        dir="auto"
        onInput={(event) => onChange([event.currentTarget.value, value])}
      />
      <input
        class="input"
        aria-label={key === "" ? "Value of the tag" : `Value of ${key}`}
        placeholder="Value"
        value={value}
        maxLength={512}
        dir="auto"
        onInput={(event) => onChange([key, event.currentTarget.value])}
      />
      {isTitle ? (
        <span />
      ) : (
        <IconButton icon="close" label={`Remove ${key || "this tag"}`} onClick={onRemove} />
      )}
    </div>
  );
}

/** A merge patch from these tags to those of the form: an empty value removes a tag, as a missing row does. */
function patchOf(
  tags: Readonly<Record<string, string>>,
  rows: readonly Row[],
): Record<string, string | null> {
  const wanted = rows.filter(([key, value]) => key.trim() !== "" && value !== "");
  const removed = Object.keys(tags).filter((key) => !wanted.some(([kept]) => kept === key));
  return Object.fromEntries([...removed.map((key) => [key, null]), ...wanted]);
}
