/** From a sound that a device sends after silence to the same sound at the output of the page. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { launchChromium } from "../../src/testing/harness/chromium.ts";
import { IngestDevice, pcmFormat } from "../../src/testing/harness/peers/ingest-device.ts";
import { TestServer } from "../../src/testing/harness/server.ts";
import { Latency, type Percentiles } from "../load/latency.ts";

const { sampleRate, frameSamples } = pcmFormat;
const frameMs = (1000 * frameSamples) / sampleRate;
const soundFrames = 10;
/** Silence between two sounds; the random part keeps them from falling into step with any timer. */
const silenceFrames = [20, 40] as const;
const device = "kitchen";
/** Longer than any sound takes: a sound that is not heard by then never is. */
const maxLatencyMs = 3_000;

const silent = new Uint8Array(frameSamples * 2);
const tone = new Uint8Array(
  Int16Array.from({ length: frameSamples }, (_, at) =>
    Math.round(16_000 * Math.cos((2 * Math.PI * 1_000 * at) / sampleRate)),
  ).buffer,
);

/** Of so many sounds. Rejects if one of them is not heard. */
export async function measureLatency(sounds: number): Promise<Percentiles> {
  await using server = await TestServer.start();
  const peer = await IngestDevice.open(server.httpBase, pcmFormat, device);
  const sender = new Sender((frame) => peer.send(frame));
  try {
    await using browser = await launchChromium();
    const page = await browser.newPage();
    await page.addInitScript(keepAnalysers);
    await page.goto(`${server.httpBase}/live`);
    await page.getByRole("button", { name: `Listen ${device}` }).click();
    await page.getByText(/\d+ ms behind/).waitFor();
    await page.evaluate(hear);
    const sentMs = await sender.sound(sounds);
    return latencies(sentMs, await heardBy(page));
  } finally {
    sender.stop();
    await peer.close();
  }
}

/** Sends a frame whenever it is due, and knows when it sent the first one of each sound. */
class Sender {
  readonly #send: (frame: Uint8Array) => void;
  readonly #timer: Timer;
  readonly #startedMs = performance.now();
  /** Frames to come, before more silence. */
  #plan: Uint8Array[] = [];
  #sentFrames = 0;
  #last: Uint8Array = silent;
  #sentMs: number[] = [];

  constructor(send: (frame: Uint8Array) => void) {
    this.#send = send;
    this.#timer = setInterval(() => this.#tick(), 2);
  }

  /** Resolves with the time of each sound, once they are sent. */
  async sound(count: number): Promise<number[]> {
    const [min, max] = silenceFrames;
    for (let sound = 0; sound < count; sound++) {
      const pause = min + Math.floor(Math.random() * (max - min));
      this.#plan.push(...Array.from({ length: pause }, () => silent));
      this.#plan.push(...Array.from({ length: soundFrames }, () => tone));
    }
    while (this.#plan.length > 0) await sleep(frameMs);
    await sleep(maxLatencyMs);
    return this.#sentMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const due = (performance.now() - this.#startedMs) / frameMs;
    for (; this.#sentFrames < due; this.#sentFrames++) {
      const frame = this.#plan.shift() ?? silent;
      if (frame === tone && this.#last === silent) this.#sentMs.push(Date.now());
      this.#last = frame;
      this.#send(frame);
    }
  }
}

/** Runs in the page, as text, before its own scripts. */
const keepAnalysers = `
  globalThis.AnalyserNode = class extends AnalyserNode {
    constructor(context, options) {
      super(context, options);
      globalThis.heardBy = this;
    }
  };
`;

/** Runs in the page, as text: notes when the output becomes loud after silence, to the sample. */
const hear = `
  const analyser = globalThis.heardBy;
  const samples = new Float32Array(analyser.fftSize);
  const { sampleRate } = analyser.context;
  globalThis.heardMs = [];
  let quietMs = performance.now();
  let isQuiet = true;
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const now = performance.now();
    const first = samples.findIndex((sample) => Math.abs(sample) > 0.1);
    if (first < 0) {
      if (!isQuiet && now - quietMs > 100) isQuiet = true;
      return;
    }
    quietMs = now;
    if (!isQuiet) return;
    isQuiet = false;
    globalThis.heardMs.push(Date.now() - (1000 * (samples.length - first)) / sampleRate);
  }, 4);
`;

async function heardBy(page: Page): Promise<number[]> {
  return await page.evaluate<number[]>("globalThis.heardMs");
}

function latencies(sentMs: readonly number[], heardMs: readonly number[]): Percentiles {
  const latency = new Latency();
  for (const sent of sentMs) {
    const heard = heardMs.find((each) => each >= sent);
    if (heard === undefined || heard - sent > maxLatencyMs) throw new Error("a sound was not heard");
    latency.record(heard - sent);
  }
  return latency.percentiles();
}
