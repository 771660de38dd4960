/** The microphone of this browser as a device of the server. It goes on while one moves about. */
import { signal } from "@preact/signals";
import { addressOf, socketAddressOf } from "../app/address.ts";
import { IngestSocket, type IngestState } from "./ingest-socket.ts";
import { type MicrophoneFrame, microphoneProcessor } from "./microphone-frame.ts";

export interface Recording {
  /** The hardware id. */
  name: string;
  startedMs: number;
}

export interface MicrophoneLevel {
  /** dBFS. */
  peak: number;
  rms: number;
  isClipped: boolean;
}

export const recording = signal<Recording | undefined>(undefined);
export const ingestState = signal<IngestState>("connecting");
export const microphoneLevel = signal<MicrophoneLevel | undefined>(undefined);

const silentDbfs = -120;
let end: (() => void) | undefined;

/**
 * Asks for the microphone, and sends it until `stopRecording`. Throws what the browser refuses. `isVoice` lets the browser
 * remove noise and echo.
 */
export async function startRecording(name: string, isVoice: boolean): Promise<void> {
  stopRecording();
  const stream = await openMicrophone(isVoice);
  const context = new AudioContext();
  try {
    await context.audioWorklet.addModule(addressOf("assets/microphone.worklet.js"));
  } catch (error) {
    release(stream, context);
    throw error;
  }
  const node = new AudioWorkletNode(context, microphoneProcessor, { numberOfOutputs: 0 });
  const socket = new IngestSocket({
    url: socketAddressOf(`ws/${encodeURIComponent(name)}`),
    sampleRate: context.sampleRate,
    frameSamples: Math.round(context.sampleRate / 50),
    onState: (state) => (ingestState.value = state),
  });
  node.port.onmessage = ({ data }: MessageEvent<MicrophoneFrame>) => {
    socket.send(data.pcm);
    const { peak, rms, isClipped } = data;
    microphoneLevel.value = { peak: decibels(peak), rms: decibels(rms), isClipped };
  };
  new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(node);
  // The user may take the microphone away in the browser itself.
  stream.getAudioTracks()[0]?.addEventListener("ended", stopRecording);
  recording.value = { name, startedMs: Date.now() };
  end = () => {
    socket.close();
    release(stream, context);
  };
}

export function stopRecording(): void {
  end?.();
  end = undefined;
  recording.value = undefined;
  microphoneLevel.value = undefined;
}

async function openMicrophone(isVoice: boolean): Promise<MediaStream> {
  // Missing on pages without TLS, except on the machine itself.
  if (!("mediaDevices" in navigator)) {
    throw new Error("browsers give the microphone only to pages over HTTPS or of this machine");
  }
  const audio = { echoCancellation: isVoice, noiseSuppression: isVoice, autoGainControl: isVoice };
  return await navigator.mediaDevices.getUserMedia({ audio });
}

function release(stream: MediaStream, context: AudioContext): void {
  for (const track of stream.getTracks()) track.stop();
  void context.close();
}

function decibels(amplitude: number): number {
  return Math.max(silentDbfs, 20 * Math.log10(amplitude));
}
