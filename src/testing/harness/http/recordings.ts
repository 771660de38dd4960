/** A client of the HTTP API of recordings. */

export interface ListedFile {
  path: string;
  bytes: number;
  sha256: string;
}

export interface ListedRecording {
  id: number;
  pinned: boolean;
  device: string | null;
  streamId: number;
  codec: string;
  sampleRate: number;
  channels: number;
  startedAt: string;
  endedAt: string;
  frames: number;
  samples: number;
  gaps: number;
  lostFrames: number;
  nibbleOrder: string | null;
  nibbleOrderBy: string | null;
  bin: ListedFile;
  wav: ListedFile;
  missing?: string[];
}

export interface RecordingsPage {
  recordings: ListedRecording[];
  next: string | null;
}

/** One page; `query` is the part of the URL after `?`. */
export async function recordingsPage(httpBase: string, query = ""): Promise<RecordingsPage> {
  const response = await fetch(`${httpBase}/api/recordings?${query}`);
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  return (await response.json()) as RecordingsPage;
}

/** All recordings, page by page. */
export async function allRecordings(httpBase: string, query = "", limit = 1000): Promise<ListedRecording[]> {
  const all: ListedRecording[] = [];
  for (let after = ""; ;) {
    const place = after === "" ? "" : `&after=${encodeURIComponent(after)}`;
    const page = await recordingsPage(httpBase, `limit=${limit}&${query}${place}`);
    all.push(...page.recordings);
    if (page.next === null) return all;
    after = page.next;
  }
}
