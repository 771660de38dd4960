import { expect, test } from "bun:test";
import { Random, sha256 } from "../../testing/harness/bytes.ts";
import { WavChecksum, WavDigest } from "./wav-digest.ts";

const audio = new Random(1).bytes(100_000);

function digestOf(bytes: Uint8Array, pieceBytes: number) {
  const digest = new WavDigest();
  for (let at = 0; at < bytes.length; at += pieceBytes) digest.add(bytes.subarray(at, at + pieceBytes));
  return digest.finish();
}

test("the digests do not depend on the pieces", () => {
  const whole = digestOf(audio, audio.length);
  expect(whole).toMatchObject({ bytes: audio.length, sha256: sha256(audio) });
  for (const pieceBytes of [1, 1_000, 16_384, 65_537]) expect(digestOf(audio, pieceBytes)).toEqual(whole);
  const checksum = new WavChecksum();
  for (const turn of [1, 2]) {
    checksum.add(audio);
    expect([turn, checksum.finish()]).toEqual([turn, whole.checksum]);
  }
});

test("the checksum is what catalogs have, and differs for any other bytes", () => {
  expect(digestOf(audio, audio.length).checksum).toBe("5cd90bab3e772c15");
  expect(digestOf(new Uint8Array(0), 1).checksum).toMatch(/^[0-9a-f]{16}$/);
  const { checksum } = digestOf(audio, audio.length);
  for (const at of [0, 20_000, audio.length - 1]) {
    const changed = Uint8Array.from(audio);
    changed[at]! ^= 1;
    expect(digestOf(changed, audio.length).checksum).not.toBe(checksum);
  }
  expect(digestOf(audio.subarray(0, -1), audio.length).checksum).not.toBe(checksum);
});
