/**
 * The player of the page: one media element, which goes on while one moves about. The browser fetches the audio by
 * ranges, so it begins at once and seeks without loading what lies between.
 */
import { signal } from "@preact/signals";
import { addressOf } from "../app/address.ts";
import { notifyError } from "../parts/toasts.tsx";
import { showInMediaSession } from "./media-session.ts";

export interface Track {
  /** Differs for each sound: `streams/ID`. */
  key: string;
  title: string;
  subtitle: string;
  /** Addresses in the API, of the audio and of its peaks. */
  audioPath: string;
  peaksPath: string;
  /** The place of the track in the page. */
  href: string;
  /** Seconds, if the server knows. */
  duration: number | null;
}

export const currentTrack = signal<Track | undefined>(undefined);
export const isPlaying = signal(false);
export const isWaiting = signal(false);
export const time = signal(0);
export const duration = signal(0);
export const volume = signal(storedVolume());
export const isMuted = signal(false);
export const rate = signal(1);
export const rates = [0.5, 0.75, 1, 1.25, 1.5, 2] as const;

/** What comes before and after the current track. */
let queue: readonly Track[] = [];
const volumeKey = "wavecache-volume";

export const media = createMedia();

/** Plays a track from the beginning, or from a second of it. `among`: what previous and next choose from. */
export function play(track: Track, options: { at?: number; among?: readonly Track[] } = {}): void {
  const { at, among } = options;
  if (among !== undefined) queue = among;
  if (currentTrack.value?.key !== track.key) load(track);
  if (at !== undefined) seek(at);
  start();
}

/** Shows a track at a second of it, without playing. */
export function cue(track: Track, at: number): void {
  if (currentTrack.value?.key !== track.key) load(track);
  seek(at);
}

export function toggle(): void {
  if (media.paused) start();
  else media.pause();
}

export function stop(): void {
  media.pause();
  media.removeAttribute("src");
  media.load();
  currentTrack.value = undefined;
}

export function seek(seconds: number): void {
  media.currentTime = Math.max(0, seconds);
  time.value = media.currentTime;
}

export function skip(seconds: number): void {
  seek(media.currentTime + seconds);
}

/** Plays the track that is so many places further in the queue. */
export function step(places: number): void {
  const at = queue.findIndex(({ key }) => key === currentTrack.value?.key);
  const next = at < 0 ? undefined : queue[at + places];
  if (next !== undefined) play(next);
}

export function setVolume(value: number): void {
  media.volume = value;
  media.muted = false;
  localStorage.setItem(volumeKey, String(value));
}

export function toggleMuted(): void {
  media.muted = !media.muted;
}

export function setRate(value: number): void {
  rate.value = value;
  media.defaultPlaybackRate = value;
  media.playbackRate = value;
}

function load(track: Track): void {
  media.src = addressOf(track.audioPath);
  currentTrack.value = track;
  time.value = 0;
  duration.value = track.duration ?? 0;
  showInMediaSession(track, { play: start, pause: () => media.pause(), stop, seek, skip, step });
}

function start(): void {
  media.play().catch((error: unknown) => {
    // Another track was chosen before this one began.
    if (error instanceof DOMException && error.name === "AbortError") return;
    notifyError(playError());
  });
}

function playError(): Error {
  if (media.error === null) return new Error("the browser plays sound only after a click on this page");
  return new Error(`this browser cannot play ${currentTrack.value?.title ?? "it"}`);
}

function createMedia(): HTMLAudioElement {
  const element = new Audio();
  element.preload = "metadata";
  element.volume = volume.value;
  const events: Record<string, () => void> = {
    play: () => (isPlaying.value = true),
    pause: () => (isPlaying.value = false),
    waiting: () => (isWaiting.value = true),
    playing: () => (isWaiting.value = false),
    canplay: () => (isWaiting.value = false),
    timeupdate: () => (time.value = element.currentTime),
    seeked: () => (time.value = element.currentTime),
    durationchange: () => {
      if (Number.isFinite(element.duration)) duration.value = element.duration;
    },
    volumechange: () => {
      volume.value = element.volume;
      isMuted.value = element.muted;
    },
    ended: () => step(1),
  };
  for (const [name, listener] of Object.entries(events)) element.addEventListener(name, listener);
  return element;
}

function storedVolume(): number {
  const stored = Number(localStorage.getItem("wavecache-volume") ?? 1);
  return stored >= 0 && stored <= 1 ? stored : 1;
}
