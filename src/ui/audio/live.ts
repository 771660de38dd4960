/** Live audio of devices, several at once. It goes on while one moves about. */
import { signal, type Signal } from "@preact/signals";
import { LivePlayer, type PlayerState } from "../../client/live/player.ts";
import type { LiveReport } from "../../client/live/processor.ts";
import { addressOf, socketAddressOf } from "../app/address.ts";
import { notifyError } from "../parts/toasts.tsx";

export interface Listening {
  readonly name: string;
  readonly state: Signal<PlayerState>;
  readonly report: Signal<LiveReport | undefined>;
  /** What is heard. */
  readonly analyser: AnalyserNode;
}

interface Opened extends Listening {
  /** Ends it also while it is being opened. */
  close: () => void;
}

/** In the order of their begin. */
export const listenings = signal<readonly Listening[]>([]);
const opened = new Map<string, Opened>();

const fftSize = 1024;
/** Beyond this the clocks of the server and of this machine differ, and nothing is known. */
const maxLatencyMs = 10_000;

let context: AudioContext | undefined;
/** Whether the browser plays what it is given: without a sound output it never does. */
export const hasOutput = signal(false);

/** To be called by a click: browsers start no sound without one. */
export function listen(name: string): void {
  if (opened.has(name)) return;
  context ??= openContext();
  const analyser = new AnalyserNode(context, { fftSize, smoothingTimeConstant: 0.4 });
  analyser.connect(context.destination);
  const state = signal<PlayerState>("connecting");
  const report = signal<LiveReport | undefined>(undefined);
  const player = LivePlayer.open({
    url: socketAddressOf(`live/${encodeURIComponent(name)}`),
    workletUrl: addressOf("assets/live.worklet.js"),
    context,
    output: analyser,
    onState: (next) => {
      state.value = next;
      if (next === "closed") forget(name);
    },
    onReport: (next) => (report.value = next),
  });
  const close = () => {
    analyser.disconnect();
    void player.then((found) => found.close(), ignoreFailed);
  };
  opened.set(name, { name, state, report, analyser, close });
  publish();
  player.catch((error: unknown) => {
    forget(name);
    notifyError(error);
  });
}

function openContext(): AudioContext {
  const opening = new AudioContext({ latencyHint: "interactive" });
  opening.addEventListener("statechange", () => (hasOutput.value = opening.state === "running"));
  return opening;
}

export function stopListening(name: string): void {
  opened.get(name)?.close();
  forget(name);
}

/** From the microphone's sample at the server to the loudspeaker here, in milliseconds; undefined if it is not known. */
export function latencyOf({ report }: Listening): number | undefined {
  const found = report.value;
  if (found === undefined || found.timeMs === null || !found.isPlaying) return undefined;
  const output = 1000 * (context?.outputLatency ?? 0);
  const latencyMs = Date.now() - found.timeMs + output;
  return latencyMs >= 0 && latencyMs < maxLatencyMs ? latencyMs : undefined;
}

function forget(name: string): void {
  if (opened.delete(name)) publish();
}

function publish(): void {
  listenings.value = Array.from(opened.values());
}

/** Whoever opened the player has shown the failure. */
function ignoreFailed(): void {}
