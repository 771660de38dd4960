/** A client of the timelines of the HTTP API. */

export interface Timeline {
  earliest: string;
  latest: string;
  spans: {
    start: string;
    end: string;
    streamId: number;
    sampleRate: number;
    channels: number;
    session: number;
    deviceTime: string | null;
    ended: string | null;
    segments: number;
    samples: number;
    lostFrames: number;
  }[];
  gaps: { start: string; end: string; reason: string; stepped?: number }[];
  totals: { spans: number; segments: number; seconds: number; lostFrames: number };
  next: string | null;
}

/** `query` is the part of the URL after `?`. Undefined if there is no audio of the device yet. */
export async function timelineOf(
  httpBase: string,
  device: string,
  query = "",
): Promise<Timeline | undefined> {
  const response = await fetch(`${httpBase}/api/recordings/${device}/timeline?${query}`);
  if (response.status === 404) return undefined;
  if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
  return (await response.json()) as Timeline;
}

/** A time of the API in µs since 1970. */
export function microseconds(time: string): number {
  return Date.parse(time) * 1000 + Number(time.slice(-4, -1));
}
