import { expect, test } from "bun:test";
import * as fc from "fast-check";
import * as fs from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../../testing/fixtures/temporary-folder.ts";
import { AppendBuffer } from "./append-buffer.ts";

test("appended bytes reach the file once and in order, and the newest stay as history", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "file");
  const step = fc.record({
    append: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 500, max: 3000 })),
    inPlace: fc.boolean(),
    write: fc.boolean(),
    keep: fc.integer({ min: 0, max: 700 }),
  });
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const descriptor = fs.openSync(path, "w+");
    const buffer = new AppendBuffer(1024);
    const all: number[] = [];
    for (const { append, inPlace, write, keep } of steps) {
      const bytes = Uint8Array.from({ length: append }, (_, at) => (all.length + at) * 31);
      all.push(...bytes);
      if (inPlace) {
        buffer.makeRoom(append);
        buffer.bytes.set(bytes, buffer.fill);
        buffer.advance(append);
      } else {
        buffer.append(bytes, 0, append);
      }
      if (!write) continue;
      buffer.writeTo(descriptor);
      const before = buffer.fill;
      expect(before - buffer.fill).toBe(0);
      const moved = buffer.markWritten(keep);
      expect(moved).toBe(before - buffer.fill);
      expect(buffer.fill).toBeLessThanOrEqual(keep);
      expect(buffer.unwrittenBytes).toBe(0);
      expect(buffer.fileBytes).toBe(all.length);
      expect([...buffer.bytes.subarray(0, buffer.fill)]).toEqual(all.slice(all.length - buffer.fill));
      expect(buffer.samples.buffer).toBe(buffer.bytes.buffer);
    }
    const rest = buffer.unwrittenBytes;
    buffer.writeTo(descriptor);
    fs.closeSync(descriptor);
    expect(rest).toBeLessThanOrEqual(all.length);
    expect([...fs.readFileSync(path)]).toEqual(all);
  });
  fc.assert(property, { numRuns: 100 });
});

test("a new file begins at the given offset, and the history stays", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "file");
  fs.writeFileSync(path, "head");
  const descriptor = fs.openSync(path, "r+");
  const buffer = new AppendBuffer(16);
  buffer.append(Buffer.from("before"), 0, 6);
  buffer.markWritten(3);
  buffer.startFile(4);
  buffer.append(Buffer.from("..after"), 2, 5);
  expect(Buffer.from(buffer.unwritten()).toString()).toBe("after");
  buffer.writeTo(descriptor);
  fs.closeSync(descriptor);
  expect(fs.readFileSync(path, "utf8")).toBe("headafter");
  expect(Buffer.from(buffer.bytes.subarray(0, buffer.fill)).toString()).toBe("oreafter");
});

test("the memory of a burst is released after smaller writes", () => {
  const buffer = new AppendBuffer(1024);
  buffer.append(new Uint8Array(1_000_000), 0, 1_000_000);
  for (let round = 0; round < 30; round++) {
    buffer.markWritten(0);
    buffer.append(new Uint8Array(100), 0, 100);
  }
  expect(buffer.bytes.length).toBe(1024);
});
