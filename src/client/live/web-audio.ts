/** The part of Web Audio that the player uses. The types of the DOM would clash with those of the server's runtime. */

export interface AudioOutput {
  /** The AudioNode, for `connect`. */
  readonly context: object;
}

export interface LiveAudioContext {
  readonly audioWorklet: { addModule(url: string): Promise<void> };
  readonly destination: AudioOutput;
  resume(): Promise<void>;
}

export interface LiveNode<Report> {
  readonly port: {
    onmessage: ((event: { data: Report }) => void) | null;
    postMessage(message: ArrayBuffer, transfer: ArrayBuffer[]): void;
  };
  connect(output: AudioOutput): void;
  disconnect(): void;
}

interface NodeOptions {
  numberOfInputs: number;
  outputChannelCount: number[];
}

/** The constructor AudioWorkletNode. */
export type NodeMaker<Report> = new (
  context: LiveAudioContext,
  processor: string,
  options: NodeOptions,
) => LiveNode<Report>;
