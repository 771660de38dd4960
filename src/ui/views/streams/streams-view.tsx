/** Streams: search, sort, play, and everything that one does with one of them. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useCallback, useEffect, useMemo, useRef } from "preact/hooks";
import { useParams } from "wouter-preact";
import type { StreamQuery } from "../../api/streams.ts";
import { reconnections } from "../../app/connection.ts";
import { formatCount } from "../../parts/format.ts";
import { Empty, Failure, Loading } from "../../parts/states.tsx";
import { VirtualList } from "../../parts/virtual-list.tsx";
import { finishedUploads } from "../../uploads/upload-list.ts";
import { StreamDetail } from "./stream-detail.tsx";
import { StreamList } from "./stream-list.ts";
import { StreamRow } from "./stream-row.tsx";
import { StreamSearch } from "./stream-search.tsx";

const rowPx = 60;

export function StreamsView(): JSX.Element {
  const { id } = useParams<{ id?: string }>();
  const query = useSignal<StreamQuery>({ text: "", sort: "-created", tags: {} });
  const list = useLastLoaded(useStreamList(query.value));
  const filterByTag = (key: string, value: string) => {
    query.value = { ...query.value, tags: { ...query.value.tags, [key]: value } };
  };
  return (
    <div class={id === undefined ? "split" : "split has-detail"}>
      <section class="split-list" aria-label="Streams">
        <header class="view-head">
          <h1>Streams</h1>
          {list.total.value !== undefined && (
            <p class="muted figure" role="status">
              {formatCount(list.total.value)} {list.total.value === 1 ? "stream" : "streams"}
            </p>
          )}
        </header>
        <StreamSearch query={query} />
        <Rows list={list} selected={id} isSearch={isSearch(query.value)} onTag={filterByTag} />
      </section>
      {id !== undefined && <StreamDetail key={id} id={id} list={list} onTag={filterByTag} />}
    </div>
  );
}

function isSearch({ text, tags }: StreamQuery): boolean {
  return text.trim() !== "" || Object.keys(tags).length > 0;
}

/** The list of a query: another one whenever the query changes, an upload ends, or the server comes back. */
function useStreamList(query: StreamQuery): StreamList {
  const changes = `${finishedUploads.value} ${reconnections.value}`;
  const list = useMemo(() => new StreamList(query), [query, changes]);
  useEffect(() => {
    list.ensure(0);
    return () => list.close();
  }, [list]);
  return list;
}

/** The rows of the last search stay until those of the next one are there, so that nothing flickers at each key. */
function useLastLoaded(list: StreamList): StreamList {
  const shown = useRef(list);
  if (list.total.value !== undefined || list.error.value !== undefined) shown.current = list;
  return shown.current;
}

interface RowsProps {
  list: StreamList;
  selected: string | undefined;
  isSearch: boolean;
  onTag: (key: string, value: string) => void;
}

function Rows({ list, selected, isSearch, onTag }: RowsProps): JSX.Element {
  const rows = list.rows.value;
  const onRange = useCallback((_first: number, end: number) => list.ensure(end), [list]);
  if (list.error.value !== undefined) {
    return <Failure error={list.error.value} onRetry={() => list.retry()} />;
  }
  if (list.total.value === undefined) return <Loading />;
  if (list.total.value === 0) return isSearch ? <NothingFound /> : <NothingStored />;
  return (
    <VirtualList
      key={list.id}
      label="Streams"
      count={list.total.value}
      rowPx={rowPx}
      onRange={onRange}
      renderRow={(index) => {
        const stream = rows[index];
        if (stream === undefined) return <div class="skeleton row-skeleton" aria-hidden="true" />;
        return (
          <StreamRow stream={stream} list={list} isSelected={stream.streamId === selected} onTag={onTag} />
        );
      }}
    />
  );
}

function NothingFound(): JSX.Element {
  return (
    <Empty icon="search" title="Nothing found">
      All words must be in the id, the title, the name or the tags of a stream.
    </Empty>
  );
}

function NothingStored(): JSX.Element {
  return (
    <Empty icon="streams" title="No streams yet" command="bun run client upload music.mp3">
      Drop audio files or whole folders onto this page, or send one from a terminal:
    </Empty>
  );
}
