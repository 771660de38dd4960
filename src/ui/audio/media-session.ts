/** The keys for media of a keyboard, a headset or a lock screen (W3C Media Session). */

export interface MediaActions {
  play: () => void;
  pause: () => void;
  stop: () => void;
  seek: (seconds: number) => void;
  skip: (seconds: number) => void;
  step: (places: number) => void;
}

const skipSeconds = 10;

export function showInMediaSession(track: { title: string; subtitle: string }, actions: MediaActions): void {
  if (!("mediaSession" in navigator)) return;
  const { mediaSession } = navigator;
  mediaSession.metadata = new MediaMetadata({ title: track.title, artist: track.subtitle });
  const handlers: Partial<Record<MediaSessionAction, MediaSessionActionHandler>> = {
    play: actions.play,
    pause: actions.pause,
    stop: actions.stop,
    previoustrack: () => actions.step(-1),
    nexttrack: () => actions.step(1),
    seekbackward: ({ seekOffset }) => actions.skip(-(seekOffset ?? skipSeconds)),
    seekforward: ({ seekOffset }) => actions.skip(seekOffset ?? skipSeconds),
    seekto: ({ seekTime }) => actions.seek(seekTime ?? 0),
  };
  for (const [action, handler] of Object.entries(handlers)) {
    mediaSession.setActionHandler(action as MediaSessionAction, handler);
  }
}
