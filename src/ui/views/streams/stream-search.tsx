import type { Signal } from "@preact/signals";
import type { JSX } from "preact";
import type { StreamQuery } from "../../api/streams.ts";
import { grants } from "../../app/session.ts";
import { Icon } from "../../parts/icon.tsx";
import { ChooseFiles } from "../../uploads/choose-files.tsx";
import { uploadFiles } from "../../uploads/drop-target.tsx";

const orders = [
  ["-created", "Newest first"],
  ["created", "Oldest first"],
  ["title", "Title"],
  ["-size", "Largest first"],
  ["-duration", "Longest first"],
  ["id", "Id"],
] as const;

export function StreamSearch({ query }: { query: Signal<StreamQuery> }): JSX.Element {
  const change = (part: Partial<StreamQuery>) => (query.value = { ...query.value, ...part });
  return (
    <div class="toolbar">
      <div class="search">
        <Icon name="search" size={18} />
        <input
          type="search"
          class="input"
          placeholder="Search streams"
          aria-label="Search streams"
          value={query.value.text}
          onInput={(event) => change({ text: event.currentTarget.value })}
        />
      </div>
      <select
        class="select"
        aria-label="Order"
        value={query.value.sort}
        onChange={(event) => change({ sort: event.currentTarget.value })}
      >
        {orders.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
      {grants.value.maySome("upload", "streams") && <ChooseFiles onChosen={uploadFiles} />}
      <TagFilters tags={query.value.tags} onChange={(tags) => change({ tags })} />
    </div>
  );
}

interface TagFiltersProps {
  tags: StreamQuery["tags"];
  onChange: (tags: StreamQuery["tags"]) => void;
}

function TagFilters({ tags, onChange }: TagFiltersProps): JSX.Element | null {
  const entries = Object.entries(tags);
  if (entries.length === 0) return null;
  return (
    <ul class="chips filters" aria-label="Filters">
      {entries.map(([key, value]) => (
        <li key={key}>
          <button
            type="button"
            class="chip on"
            aria-label={`Remove the filter ${key}: ${value}`}
            onClick={() => onChange(Object.fromEntries(entries.filter(([other]) => other !== key)))}
          >
            <span class="cut" dir="auto">
              {key}: {value}
            </span>
            <Icon name="close" size={14} />
          </button>
        </li>
      ))}
    </ul>
  );
}
