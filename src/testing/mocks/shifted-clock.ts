/**
 * Preloaded into a server: its main thread's clock is ahead by as many milliseconds as the file at `WAVECACHE_TEST_CLOCK` says,
 * and what it does once a minute it does ten times a second.
 */
import { readFileSync } from "node:fs";

const path = process.env["WAVECACHE_TEST_CLOCK"]!;
const minuteMs = 60_000;
const systemTime = Date.now.bind(Date);
const repeat = globalThis.setInterval;

Date.now = () => systemTime() + Number(readFileSync(path, "utf8"));
globalThis.setInterval = ((callback: () => void, ms?: number) =>
  repeat(callback, ms === minuteMs ? 100 : ms)) as typeof setInterval;
