import { expect, test } from "bun:test";
import fc from "fast-check";
import { BlockSums, SumsBuilder, sumsFileBytes } from "../streams/sums/sums.ts";
import { decodeMeasured, encodeSidecar } from "./sidecar.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => new Uint8Array(each));

test("A sidecar has the block checksums at its beginning, then the levels and peaks", () => {
  fc.assert(
    fc.property(bytes(40_000), bytes(100), bytes(300), (audio, levels, peaks) => {
      const builder = new SumsBuilder();
      builder.add(audio);
      const file = encodeSidecar(builder.finish(), { levels, peaks });
      const sums = BlockSums.decode(file.slice(0, sumsFileBytes(audio.length)))!;
      expect(sums.firstDamaged(0, audio)).toBeUndefined();
      expect(decodeMeasured(file, audio.length)).toEqual({ levels, peaks });
    }),
  );
});

test("A sidecar that is cut, longer, or changed behind its checksums has no levels and peaks", () => {
  const whole = encodeSidecar(new SumsBuilder().finish(), {
    levels: new Uint8Array([1, 2, 3]),
    peaks: new Uint8Array([4, 5]),
  });
  expect(decodeMeasured(whole, 0)).toBeDefined();
  const from = sumsFileBytes(0);
  for (let length = 0; length < whole.length; length += 1)
    expect(decodeMeasured(whole.slice(0, length), 0)).toBeUndefined();
  expect(decodeMeasured(new Uint8Array([...whole, 0]), 0)).toBeUndefined();
  for (let at = from; at < whole.length; at += 1) {
    const changed = whole.slice();
    changed[at]! ^= 1;
    expect(decodeMeasured(changed, 0)).toBeUndefined();
  }
});
