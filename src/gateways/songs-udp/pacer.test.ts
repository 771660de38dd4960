import { expect, test } from "bun:test";
import { maxUdpBurstDatagrams, udpBurstDatagrams } from "../../base/limits/songs.ts";
import { until } from "../../testing/harness/until.ts";
import { songDatagramBytes } from "../../wire/song-udp.ts";
import { Pacer } from "./pacer.ts";
import type { Transfer } from "./transfer.ts";

const datagram = new Uint8Array(songDatagramBytes);

/** A transfer that never ends. */
function endless(port: number, bytesPerSecond: number): Transfer {
  return {
    peer: { address: "127.0.0.1", port },
    name: String(port),
    bytesPerSecond,
    ready: (maxDatagrams) => Array.from({ length: maxDatagrams }, () => datagram),
    sent() {},
    tick() {},
    unreachable() {},
    cut() {},
  };
}

test("each transfer gets its own rate, in bursts that fit a receive buffer", async () => {
  const sent = new Map<Transfer, number[]>();
  const pacer = new Pacer({
    send(transfer, datagrams) {
      sent.get(transfer)!.push(datagrams.length);
      return "sent";
    },
  });
  const [slow, fast] = [endless(1, 500_000), endless(2, 4_000_000)];
  const start = performance.now();
  for (const transfer of [slow, fast]) {
    sent.set(transfer, []);
    pacer.add(transfer);
  }
  pacer.wake();
  const bytesOf = (transfer: Transfer) =>
    sent.get(transfer)!.reduce((sum, count) => sum + count, 0) * songDatagramBytes;
  await until("500 kB of the fast one", 10_000, () => bytesOf(fast) > 500_000);
  const seconds = (performance.now() - start) / 1000;
  pacer.close();
  for (const transfer of [slow, fast]) {
    const burst = maxUdpBurstDatagrams * songDatagramBytes;
    expect(bytesOf(transfer)).toBeGreaterThan(0);
    expect(bytesOf(transfer)).toBeLessThanOrEqual(transfer.bytesPerSecond * seconds + burst);
    for (const count of sent.get(transfer)!) {
      expect(count).toBeGreaterThanOrEqual(udpBurstDatagrams);
      expect(count).toBeLessThanOrEqual(maxUdpBurstDatagrams);
    }
  }
  expect(bytesOf(fast)).toBeGreaterThan(2 * bytesOf(slow));
});
