/**
 * Takeover: a device opens a status stream while the server still has the streams of an older connection. Those end.
 *
 * The streams of a device come in any order and over any channel, and none of them names its connection. A stream
 * belongs to the new connection if
 * - it replaced another stream since the old status stream was opened, or
 * - it came over the channel of the new status stream, and the old status stream did not.
 */
export interface StreamOrigin {
  /** The channel that the stream came over. */
  readonly peer: string;
  /** The stream replaced another one of its kind since the status stream was opened. */
  readonly isReplacement: boolean;
}

/** The streams beside the status stream. */
export type SideStream = "events" | "audio";

/** Returns the streams that the old connection left behind. */
export function abandonedStreams(
  open: Record<SideStream, StreamOrigin | undefined>,
  oldPeer: string,
  newPeer: string,
): SideStream[] {
  const sides: SideStream[] = ["events", "audio"];
  return sides.filter((side) => {
    const origin = open[side];
    if (origin === undefined || origin.isReplacement) return false;
    return origin.peer !== newPeer || newPeer === oldPeer;
  });
}
