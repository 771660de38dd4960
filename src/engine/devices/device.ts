/**
 * One device: its state, and its open streams. A second stream of a kind replaces the first. A second status stream is a
 * new connection, which takes over the device: `takeover.ts` decides which other streams end.
 */
import { errorRow, WavecacheError } from "../../base/errors.ts";
import { deviceMessageBurst, deviceMessagesPerSecond, playAnswerMs } from "../../base/limits/devices.ts";
import type { Log } from "../../base/log/log.ts";
import type { DeviceReport, DeviceRow } from "../../store/devices/catalog.ts";
import {
  afterAction,
  type ButtonEventName,
  type ButtonName,
  type DeviceAction,
  type DeviceState,
  eventOf,
  ledsFlash,
  ledsOf,
  ledsOff,
  meaningOf,
  namesOf,
} from "./device-state.ts";
import type {
  AudioSink,
  AudioStream,
  ButtonEvent,
  DeviceSnapshot,
  DeviceStatus,
  EventSink,
  EventStream,
  StatusSink,
  StatusStream,
} from "./device-streams.ts";
import { HeldButtons } from "./held-buttons.ts";
import { MessageRate } from "./message-rate.ts";
import type { EventData } from "../../store/events/types.ts";
import type { EventWriter } from "../events/event-writer.ts";
import { Playback } from "./playback.ts";
import type { SoundSource } from "../sounds/sound.ts";
import { StatusExchange } from "./status-exchange.ts";
import { abandonedStreams, type StreamOrigin } from "./takeover.ts";
import type { Ticks } from "../../base/ticker.ts";
import { sharedNow } from "../../base/system/shared-clock.ts";

/** What a device needs of the engine. */
export interface DeviceHost {
  readonly sounds: SoundSource;
  readonly ticker: Ticks;
  readonly leadMs: number;
  /** How long the LEDs flash when a device connects; 0 disables it. */
  readonly flashMs: number;
  readonly log: Log;
  readonly events: EventWriter;
  /** What a snapshot shows has changed. */
  stateChanged(device: Device): void;
  /** The row of the device has changed. */
  rowChanged(device: Device): void;
  /** The device has connected, with its first stream, or has left, with its last. */
  connectionChanged(device: Device): void;
}

type DeviceEventType = "device.connected" | "device.lost" | "device.button" | "sound.started" | "sound.ended";

interface OpenStream<S> extends StreamOrigin {
  readonly sink: S;
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
  #status: OpenStream<StatusExchange> | undefined;
  #events: OpenStream<EventSink> | undefined;
  #audio: OpenStream<AudioSink> | undefined;
  #playback: Playback | undefined;
  readonly #held = new HeldButtons((button) => this.#released(button));
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

  /** The state that the catalog keeps. */
  get row(): DeviceRow {
    const { deviceId } = this;
    const report = this.#report ?? null;
    return { deviceId, mode: this.#state.mode, report, createdAt: this.#createdAt, seenAt: this.#seenAt };
  }

  get snapshot(): DeviceSnapshot {
    return {
      deviceId: this.deviceId,
      connectedAt: this.#connectedAt,
      createdAt: this.#createdAt,
      seenAt: this.#seenAt,
      ...this.#state,
      leds: this.isConnected ? ledsOf(this.#state) : ledsOff,
      report: this.#report,
      held: this.#held.states,
    };
  }

  openStatus(peer: string, sink: StatusSink): StatusStream {
    this.#takeOver(peer);
    const onStatus = (status: DeviceStatus) => this.#storeReport(status);
    const exchange = new StatusExchange(this.deviceId, sink, onStatus, this.#host.log);
    this.#status = { sink: exchange, peer, isReplacement: false };
    this.#connect();
    this.#showFirst(exchange);
    return {
      receive: (answer) => {
        this.#admitMessage(this.#answerRate);
        exchange.receive(answer);
      },
      close: () => {
        exchange.close();
        if (this.#status?.sink !== exchange) return;
        this.#status = undefined;
        clearTimeout(this.#flash);
        this.#leaveIfLast();
      },
    };
  }

  openEvents(peer: string, sink: EventSink): EventStream {
    const isReplacement = this.#events !== undefined;
    this.#endEvents();
    this.#events = { sink, peer, isReplacement };
    this.#connect();
    return {
      receive: (event) => {
        this.#admitMessage(this.#eventRate);
        if (this.#events?.sink === sink) this.#handleButton(event);
      },
      close: () => {
        if (this.#events?.sink !== sink) return;
        this.#events = undefined;
        this.#leaveIfLast();
      },
    };
  }

  openAudio(peer: string, sink: AudioSink): AudioStream {
    const isReplacement = this.#audio !== undefined;
    this.#endAudio();
    this.#audio = { sink, peer, isReplacement };
    this.#connect();
    this.#playback?.attach(sink);
    return {
      resume: () => {
        if (this.#playback?.sink === sink) this.#playback.resume();
      },
      close: () => {
        if (this.#audio?.sink !== sink) return;
        this.#audio = undefined;
        this.#playback?.drop();
        this.#clearPlayback();
        this.#leaveIfLast();
      },
    };
  }

  /** Has the effect of the button of that name. Throws DEVICE_AWAY if it plays a sound and the device is away. */
  act(action: DeviceAction): void {
    if (action === "play" && !this.isConnected) throw new WavecacheError("DEVICE_AWAY");
    if (action !== "mode") this.#stop();
    this.#setState(afterAction(this.#state, action));
    if (action === "play") this.#play();
    this.#show();
  }

  /**
   * Acts as the play button, and waits for the first packet of the sound, but not longer than `playAnswerMs`. Throws
   * DEVICE_AWAY, or why the sound cannot be played.
   */
  async play(): Promise<void> {
    this.act("play");
    const { promise: patience, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, playAnswerMs, undefined);
    const error = await Promise.race([this.#playback?.begun, patience]);
    clearTimeout(timer);
    if (error !== undefined) throw error;
  }

  /**
   * Does what the device's own button would do; Connect asks the device for its status. A button that is held is released after `remoteHoldMs`, unless the hold is
   * repeated. Throws DEVICE_AWAY, or why the sound cannot be played.
   */
  async useButton(button: ButtonName, event: ButtonEventName): Promise<void> {
    if (!this.isConnected) throw new WavecacheError("DEVICE_AWAY");
    if (event === "hold" && !this.#held.hold(button)) return;
    if (event === "release") {
      if (this.#held.release(button)) this.#released(button);
      return;
    }
    this.#publish("device.button", { button, event, remote: true });
    this.#host.stateChanged(this);
    const press = meaningOf(eventOf(button, event));
    if (press === "play") await this.play();
    else if (press === "mode" || press === "stop") this.act(press);
    else if (event === "press") await this.refresh();
  }

  /** 0 to 5. */
  setMode(mode: number): void {
    this.#setState({ ...this.#state, mode });
    this.#show();
  }

  /** Asks the device for its status, if it has a status stream. */
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
    this.#leaveIfLast();
  }

  /** Ends the streams of an older connection, if there is one. */
  #takeOver(peer: string): void {
    const old = this.#status;
    if (old === undefined) return;
    this.#host.log.info("a device has connected again and takes over", { deviceId: this.deviceId });
    const abandoned = abandonedStreams({ events: this.#events, audio: this.#audio }, old.peer, peer);
    if (abandoned.includes("events")) this.#endEvents();
    if (abandoned.includes("audio")) this.#endAudio();
    if (this.#events !== undefined) this.#events = { ...this.#events, isReplacement: false };
    if (this.#audio !== undefined) this.#audio = { ...this.#audio, isReplacement: false };
    old.sink.end();
    this.#connectedAt = sharedNow();
  }

  #endEvents(): void {
    this.#events?.sink.end();
    this.#events = undefined;
  }

  /** Ends the audio stream, and the sound that plays on it. */
  #endAudio(): void {
    if (this.#audio === undefined) return;
    if (this.#playback?.sink === this.#audio.sink) {
      this.#playback.stop();
      this.#clearPlayback();
    }
    this.#audio.sink.end();
    this.#audio = undefined;
  }

  /** Notes a stream that was opened; the first one connects the device. */
  #connect(): void {
    this.#seenAt = sharedNow();
    if (this.isConnected) return;
    this.#connectedAt = this.#seenAt;
    this.#publish("device.connected", {});
    this.#host.connectionChanged(this);
    this.#host.stateChanged(this);
    this.#host.rowChanged(this);
  }

  #leaveIfLast(): void {
    if (this.#status ?? this.#events ?? this.#audio) return;
    if (!this.isConnected) return;
    this.#playback?.drop();
    this.#clearPlayback();
    this.#held.releaseAll();
    this.#connectedAt = undefined;
    this.#seenAt = sharedNow();
    this.#publish("device.lost", {});
    this.#host.connectionChanged(this);
    this.#host.stateChanged(this);
    this.#host.rowChanged(this);
  }

  #admitMessage(rate: MessageRate): void {
    this.#seenAt = sharedNow();
    if (!rate.take(performance.now())) throw new WavecacheError("MESSAGES_EXHAUSTED");
  }

  #released(button: ButtonName): void {
    this.#publish("device.button", { button, event: "release", remote: true });
    this.#host.stateChanged(this);
  }

  #handleButton(event: ButtonEvent | undefined): void {
    const press = event === undefined ? "unknown" : meaningOf(event);
    const { deviceId } = this;
    if (press === "unknown")
      return this.#host.log.warn("a device has an unknown button", { deviceId, ...event });
    this.#host.log.debug("button", { deviceId, press, ...event });
    this.#publish("device.button", { ...namesOf(event!), remote: false });
    if (press !== "none") this.act(press);
  }

  /** Sends the first LEDs of a connection. */
  #showFirst(exchange: StatusExchange): void {
    clearTimeout(this.#flash);
    if (this.#host.flashMs === 0) return exchange.show(ledsOf(this.#state));
    exchange.show(ledsFlash);
    this.#flash = setTimeout(() => this.#show(), this.#host.flashMs);
  }

  #show(): void {
    clearTimeout(this.#flash);
    this.#status?.sink.show(ledsOf(this.#state));
  }

  #play(): void {
    const { sounds, ticker, leadMs } = this.#host;
    const { mode } = this.#state;
    const playback: Playback = new Playback(mode, {
      sounds,
      ticker,
      leadMs,
      onFirstPacket: () => this.#publish("sound.started", { mode }),
      onOver: (error) => this.#publish("sound.ended", { mode, error: error?.code ?? null }),
      onEnd: (error) => this.#handleEnd(playback, error),
    });
    this.#playback = playback;
    playback.start(this.#audio?.sink);
  }

  #stop(): void {
    this.#playback?.stop();
    this.#playback = undefined;
  }

  #handleEnd(playback: Playback, error: WavecacheError | undefined): void {
    if (error !== undefined) this.#logFailure(playback, error);
    if (playback === this.#playback) this.#clearPlayback();
  }

  #logFailure({ mode }: Playback, error: WavecacheError): void {
    const { hint } = errorRow(error.code);
    this.#host.log.warn("a sound was not played", { deviceId: this.deviceId, mode, error, hint });
  }

  #clearPlayback(): void {
    if (this.#playback === undefined) return;
    this.#playback = undefined;
    this.#state = { ...this.#state, playing: undefined };
    this.#host.stateChanged(this);
    this.#show();
  }

  #setState(state: DeviceState): void {
    const isOtherMode = state.mode !== this.#state.mode;
    this.#state = state;
    this.#host.stateChanged(this);
    if (isOtherMode) this.#host.rowChanged(this);
  }

  #publish<T extends DeviceEventType>(type: T, data: Omit<EventData<T>, "deviceId">): void {
    const { deviceId } = this;
    this.#host.events.add(type, `devices/${deviceId}`, { ...data, deviceId } as EventData<T>);
  }

  #storeReport(status: DeviceStatus): void {
    this.#report = { ...status, at: sharedNow() };
    this.#host.stateChanged(this);
    this.#host.rowChanged(this);
  }
}

/** The rate belongs to the device: connecting again does not reset it. */
function newRate(): MessageRate {
  return new MessageRate(deviceMessageBurst, deviceMessagesPerSecond, performance.now());
}
