/**
 * Plays the live audio of a device in a web page: a WebSocket feeds an AudioWorklet (worklet.ts), which the page serves as
 * a script of its own. Call `open` in the handler of a click: browsers start no sound without one.
 *
 *     connecting --> playing --> waiting --> connecting ...        (the device has gone, or the connection is lost)
 *         '-------------'------------'--> closed
 */
import type { Socket } from "../transport/platform.ts";
import { liveRetryMs } from "./limits.ts";
import { liveProcessor, type LiveReport } from "./processor.ts";
import type { AudioOutput, LiveAudioContext, LiveNode, NodeMaker } from "./web-audio.ts";

export type PlayerState = "connecting" | "playing" | "waiting" | "closed";

export interface LivePlayerOptions {
  /** `ws://HOST/live/NAME`. */
  url: string;
  /** Where the page serves the built `worklet.ts`. */
  workletUrl: string;
  context: LiveAudioContext;
  /** Default: the destination of the context. */
  output?: AudioOutput;
  onState?: (state: PlayerState) => void;
  /** Five times a second. */
  onReport?: (report: LiveReport) => void;
  /** Default: those of the browser. */
  WebSocket?: SocketMaker;
  AudioWorkletNode?: NodeMaker<LiveReport>;
}

type SocketMaker = new (url: string) => Socket;

/** Close codes after which another attempt would fail too: the caller may not listen. */
const finalCodes = new Set([4401, 4403]);

declare const AudioWorkletNode: NodeMaker<LiveReport>;

export class LivePlayer {
  readonly #options: LivePlayerOptions;
  /** Undefined until the worklet is loaded; messages wait that long. */
  #node: LiveNode<LiveReport> | undefined;
  #early: ArrayBuffer[] = [];
  #socket: Socket | undefined;
  #retry: Timer | undefined;
  #state: PlayerState = "connecting";

  private constructor(options: LivePlayerOptions) {
    this.#options = options;
  }

  /** Connects and loads the worklet at once. Rejects if the worklet cannot be loaded. */
  static async open(options: LivePlayerOptions): Promise<LivePlayer> {
    const player = new LivePlayer(options);
    player.#connect();
    try {
      await Promise.all([options.context.resume(), player.#load()]);
    } catch (error) {
      player.close();
      throw error;
    }
    return player;
  }

  get state(): PlayerState {
    return this.#state;
  }

  /** The context stays open. */
  close(): void {
    if (this.#state === "closed") return;
    clearTimeout(this.#retry);
    this.#socket?.close(1000);
    this.#node?.disconnect();
    this.#change("closed");
  }

  async #load(): Promise<void> {
    const { context, workletUrl, output = context.destination, onReport } = this.#options;
    await context.audioWorklet.addModule(workletUrl);
    if (this.#state === "closed") return;
    const Node = this.#options.AudioWorkletNode ?? AudioWorkletNode;
    const node = new Node(context, liveProcessor, { numberOfInputs: 0, outputChannelCount: [2] });
    node.port.onmessage = ({ data }) => onReport?.(data);
    node.connect(output);
    this.#node = node;
    for (const message of this.#early.splice(0)) node.port.postMessage(message, [message]);
  }

  #connect(): void {
    this.#change("connecting");
    const Maker: SocketMaker = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket = new Maker(this.#options.url);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => this.#receive(data));
    socket.addEventListener("close", ({ code }) => this.#lost(code));
    this.#socket = socket;
  }

  #receive(data: unknown): void {
    if (this.#state === "closed" || !(data instanceof ArrayBuffer)) return;
    this.#change("playing");
    if (this.#node === undefined) this.#early.push(data);
    else this.#node.port.postMessage(data, [data]);
  }

  #lost(code: number): void {
    if (this.#state === "closed") return;
    if (finalCodes.has(code)) return this.close();
    this.#change("waiting");
    this.#retry = setTimeout(() => this.#connect(), liveRetryMs);
  }

  #change(state: PlayerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}
