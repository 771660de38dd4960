/**
 * One device: its state, and the streams that it has open now. A second stream of a kind takes the place of the first.
 * A new status stream beside an old one is a new connection: the other streams of the old one end as well. Streams come
 * in any order and on any channel, so a stream counts as the new connection's if it came on the same channel as the new
 * status stream and the old one did not, or has itself taken another's place since the old status stream was opened.
 */
import { errorRow, WavecacheError } from "../../base/errors.ts";
import { deviceMessageBurst, deviceMessagesPerSecond } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log.ts";
import type { DeviceReport, DeviceRow } from "../../store/devices/catalog.ts";
import { type ButtonEvent, buttonPressed, type DeviceStatus, toLeds } from "../../wire/devices.ts";
import {
  afterAction,
  type DeviceAction,
  type DeviceState,
  ledsFlash,
  ledsOf,
  ledsOff,
  meaningOf,
} from "./device-state.ts";
import type { AudioStream, DeviceView, EventSink, EventStream, StatusStream } from "./device-streams.ts";
import { MessageRate } from "./message-rate.ts";
import { type AudioSink, Playback } from "./playback.ts";
import type { SoundSource } from "../sounds/sound.ts";
import { StatusExchange, type StatusSink } from "./status-exchange.ts";
import type { Ticks } from "../../base/ticker.ts";

/** What a device needs of those who keep it. */
export interface DeviceHost {
  readonly sounds: SoundSource;
  readonly ticker: Ticks;
  readonly leadMs: number;
  /** How long the LEDs flash when a device connects; 0 for not at all. */
  readonly flashMs: number;
  readonly log: Log;
  /** Something that the catalog keeps is different. */
  changed(device: Device): void;
  /** The first stream was opened, or the last one closed. */
  connectedChanged(device: Device): void;
}

interface Attached<S> {
  sink: S;
  /** The channel that it came on. */
  peer: string;
  /** It has taken another's place since the status stream was opened. */
  tookOver: boolean;
}

export class Device {
  readonly deviceId: string;
  readonly #host: DeviceHost;
  readonly #createdAt: number;
  readonly #answerRate = newRate();
  readonly #eventRate = newRate();
  #seenAt: number;
  #connectedAt: number | undefined;
  #state: DeviceState;
  #report: DeviceReport | undefined;
  #status: Attached<StatusExchange> | undefined;
  #events: Attached<EventSink> | undefined;
  #audio: Attached<AudioSink> | undefined;
  #playback: Playback | undefined;
  #flash: Timer | undefined;

  constructor({ deviceId, mode, report, createdAt, seenAt }: DeviceRow, host: DeviceHost) {
    this.deviceId = deviceId;
    this.#state = { mode, playing: undefined };
    this.#report = report ?? undefined;
    this.#createdAt = createdAt;
    this.#seenAt = seenAt;
    this.#host = host;
  }

  get isConnected(): boolean {
    return this.#connectedAt !== undefined;
  }

  /** What the catalog keeps. */
  get row(): DeviceRow {
    const { deviceId } = this;
    const report = this.#report ?? null;
    return { deviceId, mode: this.#state.mode, report, createdAt: this.#createdAt, seenAt: this.#seenAt };
  }

  get view(): DeviceView {
    return {
      deviceId: this.deviceId,
      connectedAt: this.#connectedAt,
      createdAt: this.#createdAt,
      seenAt: this.#seenAt,
      ...this.#state,
      leds: this.isConnected ? ledsOf(this.#state) : ledsOff,
      report: this.#report,
    };
  }

  openStatus(peer: string, sink: StatusSink): StatusStream {
    this.#beginConnection(peer);
    const events = { reported: (status: DeviceStatus) => this.#reported(status) };
    const line = new StatusExchange(this.deviceId, sink, events, this.#host.log);
    this.#status = { sink: line, peer, tookOver: false };
    this.#opened();
    this.#greet(line);
    return {
      answered: (response) => {
        this.#count(this.#answerRate);
        line.answered(response);
      },
      closed: () => {
        line.close();
        if (this.#status?.sink !== line) return;
        this.#status = undefined;
        clearTimeout(this.#flash);
        this.#closed();
      },
    };
  }

  openEvents(peer: string, sink: EventSink): EventStream {
    const tookOver = this.#events !== undefined;
    this.#events?.sink.end();
    this.#events = { sink, peer, tookOver };
    this.#opened();
    return {
      pressed: (event) => {
        this.#count(this.#eventRate);
        if (this.#events?.sink === sink) this.#pressed(event);
      },
      closed: () => {
        if (this.#events?.sink !== sink) return;
        this.#events = undefined;
        this.#closed();
      },
    };
  }

  openAudio(peer: string, sink: AudioSink): AudioStream {
    const tookOver = this.#audio !== undefined;
    this.#endAudio();
    this.#audio = { sink, peer, tookOver };
    this.#opened();
    this.#playback?.attach(sink);
    return {
      drained: () => {
        if (this.#playback?.sink === sink) this.#playback.drained();
      },
      closed: () => {
        if (this.#audio?.sink !== sink) return;
        this.#audio = undefined;
        this.#playback?.drop();
        this.#fallSilent();
        this.#closed();
      },
    };
  }

  /** Does what the button of that name does. Throws DEVICE_AWAY for a sound that nobody would hear. */
  act(action: DeviceAction): void {
    if (action === "play" && !this.isConnected) throw new WavecacheError("DEVICE_AWAY");
    if (action !== "mode") this.#stop();
    this.#enter(afterAction(this.#state, action));
    if (action === "play") this.#play();
    this.#show();
  }

  /** 0 to 5. */
  setMode(mode: number): void {
    this.#enter({ ...this.#state, mode });
    this.#show();
  }

  /** Asks the device what it shows, where it is there to be asked. */
  async refresh(): Promise<void> {
    await this.#status?.sink.ask();
  }

  /** Ends all its streams. */
  disconnect(error: WavecacheError): void {
    this.#playback?.stop();
    this.#status?.sink.end(error);
    this.#events?.sink.end(error);
    this.#audio?.sink.end(error);
    this.#status = this.#events = this.#audio = undefined;
    clearTimeout(this.#flash);
    this.#closed();
  }

  /** Ends what an older connection left, if there is one. */
  #beginConnection(peer: string): void {
    const old = this.#status;
    if (old === undefined) return;
    this.#host.log.info("a device has connected again beside itself", { deviceId: this.deviceId });
    const stays = ({ peer: own, tookOver }: Attached<unknown>) =>
      tookOver || (own === peer && peer !== old.peer);
    if (this.#events !== undefined && !stays(this.#events)) this.#endEvents();
    if (this.#audio !== undefined && !stays(this.#audio)) this.#endAudio();
    if (this.#events !== undefined) this.#events.tookOver = false;
    if (this.#audio !== undefined) this.#audio.tookOver = false;
    old.sink.end();
    this.#connectedAt = Date.now();
  }

  #endEvents(): void {
    this.#events?.sink.end();
    this.#events = undefined;
  }

  /** With the sound that plays there. */
  #endAudio(): void {
    if (this.#audio === undefined) return;
    if (this.#playback?.sink === this.#audio.sink) {
      this.#playback.stop();
      this.#fallSilent();
    }
    this.#audio.sink.end();
    this.#audio = undefined;
  }

  #opened(): void {
    this.#seenAt = Date.now();
    if (this.isConnected) return;
    this.#connectedAt = this.#seenAt;
    this.#host.connectedChanged(this);
    this.#host.changed(this);
  }

  #closed(): void {
    if (this.#status ?? this.#events ?? this.#audio) return;
    if (!this.isConnected) return;
    this.#playback?.drop();
    this.#fallSilent();
    this.#connectedAt = undefined;
    this.#seenAt = Date.now();
    this.#host.connectedChanged(this);
    this.#host.changed(this);
  }

  #count(rate: MessageRate): void {
    this.#seenAt = Date.now();
    if (!rate.take(performance.now())) throw new WavecacheError("MESSAGES_EXHAUSTED");
  }

  #pressed(event: ButtonEvent | undefined): void {
    const press = event === undefined ? "unknown" : meaningOf(event);
    const { deviceId } = this;
    if (press === "unknown")
      return this.#host.log.warn("a device has an unknown button", { deviceId, ...event });
    this.#host.log.debug("button", { deviceId, press, ...event });
    if (press !== "none") this.act(press);
  }

  /** The first request of a connection, at once. */
  #greet(line: StatusExchange): void {
    clearTimeout(this.#flash);
    if (this.#host.flashMs === 0) return line.show(ledsOf(this.#state));
    line.show(ledsFlash);
    this.#flash = setTimeout(() => this.#show(), this.#host.flashMs);
  }

  #show(): void {
    clearTimeout(this.#flash);
    this.#status?.sink.show(ledsOf(this.#state));
  }

  #play(): void {
    const { sounds, ticker, leadMs } = this.#host;
    const playback: Playback = new Playback(this.#state.mode, {
      sounds,
      ticker,
      leadMs,
      ended: (error) => this.#ended(playback, error),
    });
    this.#playback = playback;
    playback.begin(this.#audio?.sink);
  }

  #stop(): void {
    this.#playback?.stop();
    this.#playback = undefined;
  }

  #ended(playback: Playback, error: WavecacheError | undefined): void {
    if (error !== undefined) this.#logFailure(playback, error);
    if (playback === this.#playback) this.#fallSilent();
  }

  #logFailure({ mode }: Playback, error: WavecacheError): void {
    const { hint } = errorRow(error.code);
    this.#host.log.warn("a sound was not played", { deviceId: this.deviceId, mode, error, hint });
  }

  /** No sound plays any more. */
  #fallSilent(): void {
    if (this.#playback === undefined) return;
    this.#playback = undefined;
    this.#state = { ...this.#state, playing: undefined };
    this.#show();
  }

  #enter(state: DeviceState): void {
    const isOther = state.mode !== this.#state.mode;
    this.#state = state;
    if (isOther) this.#host.changed(this);
  }

  #reported(status: DeviceStatus): void {
    const { button_1, button_2, button_3, button_4, battery_level } = status;
    this.#report = {
      leds: [...toLeds(status)],
      pressed: [button_1, button_2, button_3, button_4].map((button) => button === buttonPressed),
      battery: Number.isFinite(battery_level) ? battery_level : null,
      at: Date.now(),
    };
    this.#host.changed(this);
  }
}

/** A device keeps its rates when it connects again. */
function newRate(): MessageRate {
  return new MessageRate(deviceMessageBurst, deviceMessagesPerSecond, performance.now());
}
