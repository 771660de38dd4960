import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { AdpcmDecoder, AdpcmEncoder, adpcmFrameBytes, adpcmSamples, type NibbleOrder } from "./ima-adpcm.ts";
import {
  type OrderVerdict,
  NibbleOrderFinder,
  maxHeldBytes,
  maxHeldFrames,
  maxWatchedFrames,
} from "./nibble-order.ts";

const golden = new URL("../../data/golden/", import.meta.url);
const speech = new Int16Array(await Bun.file(new URL("input-mono.s16le", golden)).arrayBuffer());
const loudSpeech = speech.subarray(640);
const bothOrders: NibbleOrder[] = ["low", "high"];

/** Frames of `length` samples a channel of interleaved `pcm`, each going on from the one before. */
function encode(pcm: Int16Array, channels: number, length: number, order: NibbleOrder): Uint8Array[] {
  const encoder = new AdpcmEncoder(channels, order);
  return Array.from({ length: Math.floor(pcm.length / channels / length) }, (_, frame) => {
    const out = new Uint8Array(adpcmFrameBytes(length, channels));
    encoder.encode(pcm, frame * length * channels, length, out, 0);
    return out;
  });
}

/** Frames as a coder makes them that begins each one anew: index 0, predictor as it happens to be. */
function encodeWithoutState(pcm: Int16Array, length: number, order: NibbleOrder): Uint8Array[] {
  return Array.from({ length: Math.floor(pcm.length / length) }, (_, frame) => {
    const encoder = new AdpcmEncoder(1, order);
    encoder.state[0] = pcm[frame * length]!;
    const out = new Uint8Array(adpcmFrameBytes(length, 1));
    encoder.encode(pcm, frame * length, length, out, 0);
    return out;
  });
}

function pushAll(finder: NibbleOrderFinder, frames: Uint8Array[], firstSeq = 0, seqStep = 1): OrderVerdict[] {
  return frames.map((frame, number) => finder.push(firstSeq + number * seqStep, frame, 0, frame.length));
}

/** A sine around 0, loud enough to tell, whose first half is silence. */
function silenceThenSound(frames: number, length: number): Int16Array {
  const half = (frames * length) / 2;
  return Int16Array.from({ length: frames * length }, (_, at) => (at < half ? 0 : 8000 * Math.sin(at / 9)));
}

/** Noise of one or two steps around 0: nibbles that differ, ends that hardly do. */
function quietNoise(length: number): Int16Array {
  let seed = 7;
  return Int16Array.from({ length }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed >>> 29) - 4;
  });
}

describe("the order is detected", () => {
  for (const order of bothOrders) {
    test(`from the second frame of speech, ${order} first`, () => {
      const finder = new NibbleOrderFinder(1, 320);
      expect(pushAll(finder, encode(loudSpeech, 1, 320, order)).slice(0, 3)).toEqual([
        "undecided",
        order,
        order,
      ]);
      expect(finder.decision).toEqual({ order, by: "matched" });
      expect(finder.heldFrames).toBe(0);
    });

    test(`in stereo and with an odd number of samples, ${order} first`, () => {
      for (const [channels, length] of [
        [2, 100],
        [1, 321],
        [3, 77],
      ] as const) {
        const finder = new NibbleOrderFinder(channels, length);
        expect(pushAll(finder, encode(loudSpeech, channels, length, order)).slice(0, 2)).toEqual([
          "undecided",
          order,
        ]);
      }
    });

    test(`after silence, which needs no waiting, ${order} first`, () => {
      const finder = new NibbleOrderFinder(1, 160);
      const verdicts = pushAll(finder, encode(silenceThenSound(100, 160), 1, 160, order));
      const firstHeld = verdicts.indexOf("undecided");
      expect(verdicts.slice(0, firstHeld)).toEqual(Array<OrderVerdict>(firstHeld).fill("either"));
      expect(firstHeld).toBeLessThanOrEqual(51);
      expect(verdicts[firstHeld + 1]).toBe(order);
      expect(finder.decision).toEqual({ order, by: "matched" });
    });

    test(`in stereo of which one channel is silent, ${order} first`, () => {
      for (const silent of [0, 1]) {
        const pcm = loudSpeech.map((sample, at) => (at % 2 === silent ? 0 : sample));
        const finder = new NibbleOrderFinder(2, 160);
        expect(pushAll(finder, encode(pcm, 2, 160, order)).slice(0, 2)).toEqual(["undecided", order]);
      }
    });

    test(`across the end of the sequence numbers, ${order} first`, () => {
      const finder = new NibbleOrderFinder(1, 320);
      const [first, second] = encode(loudSpeech, 1, 320, order);
      expect(finder.push(0xffffffff, first!, 0, 164)).toBe("undecided");
      expect(finder.push(0, second!, 0, 164)).toBe(order);
    });

    test(`from quiet noise only when three pairs agree, ${order} first`, () => {
      const finder = new NibbleOrderFinder(1, 8);
      const verdicts = pushAll(finder, encode(quietNoise(8 * 40), 1, 8, order));
      const telling = countTellingPairs(encode(quietNoise(8 * 40), 1, 8, order), verdicts.indexOf(order));
      expect(finder.decision).toEqual({ order, by: "matched" });
      expect(telling).toBe(3);
    });
  }

  test("in audioop's own frames", async () => {
    const bytes = await Bun.file(new URL("audioop-high.adpcm", golden)).bytes();
    const finder = new NibbleOrderFinder(1, 320);
    const verdicts = [5, 6, 7].map((seq) => finder.push(seq, bytes, (seq - 5) * 164, 164));
    expect(verdicts).toEqual(["undecided", "high", "high"]);
  });

  test("never wrongly, and a frame is called either only if both orders decode it alike", () => {
    const pcm = fc.int16Array({ minLength: 100, maxLength: 300, size: "max" });
    const inputs = [
      pcm,
      fc.nat(15),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 30 }),
    ] as const;
    let decided = 0;
    fc.assert(
      fc.property(fc.constantFrom(...bothOrders), ...inputs, (order, noise, quieter, channels, length) => {
        const frames = encode(
          noise.map((sample) => sample >> quieter),
          channels,
          length,
          order,
        );
        const finder = new NibbleOrderFinder(channels, length);
        for (const [number, verdict] of pushAll(finder, frames).entries()) {
          if (verdict === "either") expectAlike(frames[number]!, channels, length);
        }
        if (finder.decision?.by === "matched") {
          expect(finder.decision.order).toBe(order);
          decided++;
        }
      }),
      { numRuns: 300 },
    );
    expect(decided).toBeGreaterThan(50);
  });
});

describe("the order falls back to low first", () => {
  for (const order of bothOrders) {
    test(`where frames are not contiguous, ${order} first`, () => {
      const finder = new NibbleOrderFinder(1, 320);
      const verdicts = pushAll(finder, encode(loudSpeech, 1, 320, order), 0, 2);
      expect(verdicts.slice(0, maxHeldFrames)).toEqual(Array<OrderVerdict>(maxHeldFrames).fill("undecided"));
      expect(verdicts[maxHeldFrames]).toBe("low");
      expect(finder.decision).toEqual({ order: "low", by: "fallback" });
    });

    test(`where the coder begins each frame anew, loud or quiet, ${order} first`, () => {
      for (const pcm of [speech, quietNoise(320 * 2000)]) {
        const finder = new NibbleOrderFinder(1, 320);
        pushAll(finder, encodeWithoutState(pcm, 320, order));
        expect(finder.decision).toEqual({ order: "low", by: "fallback" });
      }
    });
  }

  test("when the caller forces a decision", () => {
    const finder = new NibbleOrderFinder(1, 320);
    const [first] = encode(loudSpeech, 1, 320, "high");
    expect(finder.push(0, first!, 0, 164)).toBe("undecided");
    expect(finder.settle()).toBe("low");
    expect(finder.decision).toEqual({ order: "low", by: "fallback" });
    expect(finder.heldFrames).toBe(0);
  });

  test("when the waiting frames have too many bytes", () => {
    const length = maxHeldBytes / 2 - 4;
    const pcm = Int16Array.from({ length: length * 2 * 6 }, (_, at) => speech[at % speech.length]!);
    const finder = new NibbleOrderFinder(1, length * 2);
    const verdicts = pushAll(finder, encode(pcm, 1, length * 2, "high"), 0, 2);
    expect(verdicts).toEqual(["undecided", "undecided", "low", "low", "low", "low"]);
  });
});

test("a frame that both orders decode alike waits too if others wait before it", () => {
  const [first] = encode(loudSpeech, 1, 320, "high");
  const finder = new NibbleOrderFinder(1, 320);
  expect(pushAll(finder, [first!, new Uint8Array(164)], 0, 2)).toEqual(["undecided", "undecided"]);
  expect(finder.heldFrames).toBe(2);
});

test("a single frame may wait, whatever its length", () => {
  const length = maxHeldBytes * 4;
  const pcm = Int16Array.from({ length: length * 2 }, (_, at) => loudSpeech[at % loudSpeech.length]!);
  const finder = new NibbleOrderFinder(1, length);
  expect(pushAll(finder, encode(pcm, 1, length, "high"))).toEqual(["undecided", "high"]);
});

test("a fallback still becomes a match when frames become contiguous", () => {
  const finder = new NibbleOrderFinder(1, 80);
  const frames = encode(loudSpeech, 1, 80, "high");
  pushAll(finder, frames.slice(0, 20), 0, 2);
  expect(finder.decision).toEqual({ order: "low", by: "fallback" });
  expect(pushAll(finder, frames.slice(20, 23), 1000)).toEqual(["low", "high", "high"]);
  expect(finder.decision).toEqual({ order: "high", by: "matched" });
});

test("the fallback becomes final for a stream that never matches", () => {
  const finder = new NibbleOrderFinder(1, 320);
  const frames = encode(loudSpeech, 1, 320, "high");
  for (let number = 0; number <= maxHeldFrames + maxWatchedFrames; number++) {
    finder.push(number * 2, frames[1]!, 0, 164);
  }
  expect(pushAll(finder, frames.slice(0, 3), 100_000)).toEqual(["low", "low", "low"]);
});

test("a forced order is used at once and never changes", () => {
  const finder = new NibbleOrderFinder(1, 320, "high");
  expect(new Set(pushAll(finder, encode(speech, 1, 320, "low")))).toEqual(new Set(["high"]));
  expect(finder.settle()).toBe("high");
  expect(finder.decision).toEqual({ order: "high", by: "forced" });
});

test("an invalid frame is no evidence, and interrupts the comparison", () => {
  const [first, second, third, fourth] = encode(loudSpeech, 1, 320, "high");
  const broken = second!.slice();
  broken[2] = 89;
  const finder = new NibbleOrderFinder(1, 320);
  expect(pushAll(finder, [broken, first!, broken, third!, fourth!])).toEqual([
    "either",
    "undecided",
    "undecided",
    "undecided",
    "high",
  ]);
});

test("any bytes give a verdict and never throw", () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30, size: "max" });
  fc.assert(
    fc.property(
      frames,
      fc.integer({ min: 1, max: 4 }),
      fc.nat(70),
      fc.nat(3),
      (frames, channels, length, seqStep) => {
        const finder = new NibbleOrderFinder(channels, length);
        for (const verdict of pushAll(finder, frames, 0xfffffff0, seqStep)) {
          expect(["low", "high", "either", "undecided"]).toContain(verdict);
          expect(finder.heldFrames).toBeLessThanOrEqual(maxHeldFrames);
        }
        expect(bothOrders).toContain(finder.settle());
      },
    ),
  );
});

/** How many pairs among the first `count` + 1 mono frames fit in exactly one order. */
function countTellingPairs(frames: Uint8Array[], count: number): number {
  let telling = 0;
  for (const [number, frame] of frames.slice(0, count).entries()) {
    const next = frames[number + 1]!;
    const fits = bothOrders.filter((order) => {
      const { state } = decode(frame, 1, 8, order);
      return state[0] === new DataView(next.buffer).getInt16(0, true) && state[1] === next[2];
    });
    if (fits.length === 1) telling++;
  }
  return telling;
}

function expectAlike(frame: Uint8Array, channels: number, length: number): void {
  expect(decode(frame, channels, length, "low").out).toEqual(decode(frame, channels, length, "high").out);
}

function decode(frame: Uint8Array, channels: number, length: number, order: NibbleOrder) {
  const decoder = new AdpcmDecoder(channels, length, order);
  const out = new Int16Array(adpcmSamples(frame.length, channels, length) * channels);
  decoder.decode(frame, 0, frame.length, out, 0);
  return { out, state: decoder.state };
}
