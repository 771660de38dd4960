/** A client over Bun's own WebSocket, for tests that need many connections rather than control of each byte. */
import { until, within } from "../until.ts";

const frameBytes = 64 * 1024;
const answerLimitMs = 30_000;
/** Bytes buffered in the socket above which the sender pauses. */
const maxBufferedBytes = 4 * 1024 * 1024;

export class PlainClient {
  private readonly socket: WebSocket;
  private readonly arrived: (string | Uint8Array)[] = [];
  private wake: (() => void) | undefined;
  private failure: string | undefined;

  static async open(url: string): Promise<PlainClient> {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`cannot connect to ${url}`));
    await within(`connection to ${url}`, answerLimitMs, promise);
    return new PlainClient(socket);
  }

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      this.arrived.push(typeof event.data === "string" ? event.data : new Uint8Array(event.data));
      this.wake?.();
    };
    socket.onclose = (event) => {
      this.failure = `connection closed with ${event.code} ${event.reason}`;
      this.wake?.();
    };
  }

  private async next(): Promise<string | Uint8Array> {
    while (this.arrived.length === 0) {
      if (this.failure !== undefined) throw new Error(this.failure);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.wake = resolve;
      await within("an answer", answerLimitMs, promise);
    }
    return this.arrived.shift()!;
  }

  async start(streamId: string): Promise<void> {
    this.socket.send(JSON.stringify({ type: "START", streamId }));
    await this.expectText(`{"type":"STARTED","streamId":"${streamId}",`);
  }

  async sendAudio(audio: Uint8Array): Promise<void> {
    for (let at = 0; at < audio.length; at += frameBytes) {
      this.socket.send(audio.subarray(at, at + frameBytes));
      if (this.socket.bufferedAmount > maxBufferedBytes) await this.untilTaken();
    }
  }

  private async untilTaken(): Promise<void> {
    const isTaken = (): boolean => this.socket.bufferedAmount <= maxBufferedBytes / 2;
    await until("the server to read the audio", answerLimitMs, isTaken);
  }

  /** Sends STOP; returns the text of STOPPED. */
  async stop(streamId: string): Promise<string> {
    this.socket.send(JSON.stringify({ type: "STOP", streamId }));
    return await this.expectText(`{"type":"STOPPED","streamId":"${streamId}",`);
  }

  async read(streamId: string, offset: number, length: number): Promise<Uint8Array> {
    this.socket.send(JSON.stringify({ type: "GET", streamId, offset, length }));
    const answer = await this.next();
    if (typeof answer === "string") throw new Error(`expected audio, received ${answer.slice(0, 300)}`);
    return answer;
  }

  close(): void {
    this.socket.onclose = null;
    this.socket.close();
  }

  private async expectText(start: string): Promise<string> {
    const answer = await this.next();
    if (typeof answer === "string" && answer.startsWith(start)) return answer;
    const shown = typeof answer === "string" ? answer.slice(0, 300) : `${answer.length} bytes of audio`;
    throw new Error(`expected ${start}..., received ${shown}`);
  }
}
